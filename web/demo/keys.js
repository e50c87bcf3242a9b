// @ts-check
/**
 * From pressed keys to an action.
 *
 * The mapping is the page's: a key name or several joined by commas (`"ArrowLeft,ArrowUp"`) to any action. Of
 * the entries whose keys are all down, the one with the most keys wins, and among equals the one whose key was
 * pressed last, so that a new direction acts at once while the old key is still held.
 *
 * Keys are released when the page loses the focus or is hidden, or the browser asks something or opens its menu, since
 * their release is then told to somebody else and a stale key would play on by itself.
 */

import { guard } from '../core/errors.js';
import { byPlace } from '../core/places.js';
import { gamepadKeys, isGamepad } from './gamepad.js';
import { KEYS } from './handed.js';

/** @typedef {Record<string, unknown>} Mapping */

/** For six discrete actions: nothing, left, right, jump, and jump with either. @type {Mapping} */
export const DEFAULT_MAPPING = KEYS.usual;

/** Other keys for the same thing, where the mapping does not use them itself. @type {Record<string, string>} */
const ALIASES = KEYS.aliases;

/** @param {string} key as `KeyboardEvent.key` has it @returns {string} */
function normal(key) {
  // A Turkish İ becomes an i and a dot.
  return key.length === 1 ? key.toLowerCase().charAt(0) : key;
}

/** The keys of a mapping's entry, as everything here knows them. @param {string} name of one, or of several with commas between */
export function keysOf(name) {
  return name === ',' ? [name] : name.split(',').map((key) => normal(key === ' ' ? key : key.trim()));
}

/** Which keys are down, and the action they mean. Without the DOM. */
export class KeyState {
  /** Keys by the physical key that holds them, in the order of pressing. @type {Map<string, string>} */
  #down = new Map();
  /** @type {{keys: string[], action: unknown}[]} */ #entries;
  /** @type {Set<string>} */ #known;
  #asksPads;
  /** Presses that were not read yet: a tap shorter than a tick counts for one tick. @type {Set<string>} */
  #taps = new Set();
  /** Buttons and sticks of gamepads that were held when they were last asked. @type {Set<string>} */
  #pads = new Set();
  /** Whether what is held of them may have been pressed for somebody else. */ #unseen = false;

  /**
   * @param {Mapping} mapping
   * @param {'pressed_keys' | 'single_keystroke'} [mode] with single_keystroke a press acts once
   * @param {() => Set<string> | null} [pads] what is held of gamepads, null: of another window's; asked only where the
   *   mapping has some of it
   * @param {import('../core/errors.js').Report} [report]
   */
  constructor(mapping, mode = 'pressed_keys', pads = gamepadKeys, report = (where, error) => console.warn(`[pycore] ${where}:`, error)) {
    this.mode = mode;
    this.pads = pads;
    this.report = report;
    this.#entries = Object.entries(mapping).map(([name, action]) => ({ keys: keysOf(name), action }));
    this.#known = new Set(this.#entries.flatMap(({ keys }) => keys));
    this.#asksPads = [...this.#known].some(isGamepad);
  }

  /** The mapped key that this key stands for, or null. @param {string} key @returns {string | null} */
  resolve(key) {
    const name = normal(key);
    if (this.#known.has(name)) return name;
    const alias = ALIASES[name];
    return alias !== undefined && this.#known.has(alias) ? alias : null;
  }

  /**
   * @param {string} code the physical key, which stays the same when a modifier changes its meaning
   * @param {string} key its meaning
   * @param {boolean} [repeat] whether the keyboard repeats a key that is held: it is down, and was not pressed
   * @returns {boolean} whether the mapping uses it
   */
  press(code, key, repeat = false) {
    const name = this.resolve(key) ?? this.resolve(byPlace(code, key));
    if (name === null) return false;
    if (!this.#down.has(code)) {
      this.#down.set(code, name);
      if (!repeat) this.#taps.add(name);
    }
    return true;
  }

  #askPads() {
    if (!this.#asksPads) return;
    const held = this.#held();
    for (const name of held ?? []) if (!this.#pads.has(name)) this.press(name, name, this.#unseen);
    for (const name of this.#pads) if (!held?.has(name)) this.release(name);
    this.#unseen = held === null;
    this.#pads = held ?? new Set();
  }

  /** A page that may not ask for gamepads (its embedder's Permissions-Policy) is played by its keys. */
  #held() {
    try {
      return this.pads();
    } catch (error) {
      this.#asksPads = false;
      this.report('keys.gamepad', error);
      return null;
    }
  }

  /** @param {string} code @returns {boolean} whether it was down */
  release(code) {
    return this.#down.delete(code);
  }

  releaseAll() {
    this.#down.clear();
    this.#taps.clear();
    this.#pads = new Set();
    this.#unseen = true;
  }

  /** The action for this tick; undefined: none, and the core plays the seat's default. @returns {unknown} */
  read() {
    this.#askPads();
    const taps = [...this.#taps];
    this.#taps.clear();
    const held = this.mode === 'single_keystroke' ? taps : [...this.#down.values(), ...taps];
    let best = null;
    let bestKeys = 0;
    let bestAge = -1;
    for (const { keys, action } of this.#entries) {
      const ages = keys.map((key) => held.lastIndexOf(key));
      if (ages.includes(-1)) continue;
      const age = Math.max(...ages);
      if (keys.length > bestKeys || (keys.length === bestKeys && age > bestAge)) {
        best = { action };
        bestKeys = keys.length;
        bestAge = age;
      }
    }
    return best === null ? undefined : best.action;
  }
}

/** Stands for the finger of a press without one. */
const CLICK = 'click';

/** @param {EventTarget | null} target @returns {boolean} whether typing there is meant for it */
function isEditable(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));
}

/**
 * Listen to the keyboard and to touch buttons.
 *
 * @param {KeyState} state
 * @param {Iterable<HTMLElement>} buttons elements with `data-key`
 * @param {import('../core/errors.js').Report} report
 * @returns {() => void} stops listening and releases everything
 */
export function listenToKeys(state, buttons, report) {
  const stop = new AbortController();
  const { signal } = stop;
  const release = guard(report, 'keys.release', () => state.releaseAll());

  window.addEventListener('keydown', guard(report, 'keys.down', (/** @type {KeyboardEvent} */ event) => {
    // While Command is down, macOS tells nobody that another key was released.
    if (event.metaKey) state.releaseAll();
    // AltGr is Control and Alt to some systems, and the way to [ on many keyboards.
    const combined = (event.ctrlKey || event.altKey) && !event.getModifierState('AltGraph');
    if (combined || event.metaKey || isEditable(event.target)) return;
    // Space and Enter belong to a button that has the focus.
    if (event.target instanceof HTMLButtonElement && (event.key === ' ' || event.key === 'Enter')) return;
    if (state.press(event.code || event.key, event.key, event.repeat)) event.preventDefault();
  }), { signal });
  window.addEventListener('keyup', guard(report, 'keys.up', (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Meta') state.releaseAll();
    state.release(event.code || event.key);
  }), { signal });
  window.addEventListener('blur', release, { signal });
  // A question of the browser's, and its menu, are told of the release of a key in the place of the page.
  window.addEventListener('beforeunload', release, { signal });
  window.addEventListener('contextmenu', guard(report, 'keys.menu', (/** @type {PointerEvent} */ event) => {
    if (!event.defaultPrevented && event.pointerType !== 'touch') state.releaseAll();
  }), { signal });
  document.addEventListener('visibilitychange', guard(report, 'keys.hidden', () => {
    if (document.hidden) state.releaseAll();
  }), { signal });

  listenToTouch(state, [...buttons], report, signal);
  return () => {
    stop.abort();
    release();
  };
}

/**
 * Touch buttons: each finger holds the one that it was put on, or slid to; between two it keeps the one from which it comes.
 * Whoever has the page read aloud presses without a finger: that is a tap.
 *
 * @param {KeyState} state
 * @param {HTMLElement[]} buttons
 * @param {import('../core/errors.js').Report} report
 * @param {AbortSignal} signal
 */
function listenToTouch(state, buttons, report, signal) {
  /** @type {Map<number | string, HTMLElement>} */
  const held = new Map();
  /** @param {number | string} finger @param {HTMLElement | null} button */
  const hold = (finger, button) => {
    const before = held.get(finger);
    if (before === button) return;
    state.release(`touch:${finger}`);
    held.delete(finger);
    if (before && ![...held.values()].includes(before)) before.classList.remove('held');
    if (button === null) return;
    held.set(finger, button);
    state.press(`touch:${finger}`, button.dataset['key'] ?? '');
    button.classList.add('held');
  };
  const up = guard(report, 'keys.touch', (/** @type {PointerEvent} */ event) => hold(event.pointerId, null));
  for (const button of buttons) {
    button.addEventListener('pointerdown', guard(report, 'keys.touch', (/** @type {PointerEvent} */ event) => {
      event.preventDefault();
      hold(event.pointerId, button);
      // Wherever the finger goes, this button is told. A press that a program makes has no finger to follow.
      if (event.isTrusted) button.setPointerCapture(event.pointerId);
    }), { signal });
    button.addEventListener('click', guard(report, 'keys.click', (/** @type {MouseEvent} */ event) => {
      // A finger's own is counted from 1.
      if (event.detail > 0) return;
      hold(CLICK, button);
      hold(CLICK, null);
    }), { signal });
    button.addEventListener('pointermove', guard(report, 'keys.touch', (/** @type {PointerEvent} */ event) => {
      if (!held.has(event.pointerId)) return;
      const below = document.elementFromPoint(event.clientX, event.clientY);
      const next = buttons.find((each) => each === below || each.contains(below));
      if (next !== undefined) hold(event.pointerId, next);
    }), { signal });
    for (const name of /** @type {const} */ (['pointerup', 'pointercancel', 'lostpointercapture'])) {
      button.addEventListener(name, up, { signal });
    }
    button.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
  }
}
