// @ts-check
/**
 * From pressed keys to an action.
 *
 * The mapping is the page's: a key name or several joined by commas (`"ArrowLeft,ArrowUp"`) to any action. Of
 * the entries whose keys are all down, the one with the most keys wins, and among equals the one whose key was
 * pressed last, so that a new direction acts at once while the old key is still held.
 *
 * Keys are released when the page loses the focus or is hidden, since their release is then told to somebody
 * else and a stale key would play on by itself.
 */

import { guard } from '../core/errors.js';
import { KEYS } from './handed.js';

/** @typedef {Record<string, unknown>} Mapping */

/** For six discrete actions: nothing, left, right, jump, and jump with either. @type {Mapping} */
export const DEFAULT_MAPPING = KEYS.usual;

/** Other keys for the same thing, where the mapping does not use them itself. @type {Record<string, string>} */
const ALIASES = KEYS.aliases;

/** @param {string} key as `KeyboardEvent.key` has it @returns {string} */
function normal(key) {
  return key.length === 1 ? key.toLowerCase() : key;
}

/** Which keys are down, and the action they mean. Without the DOM. */
export class KeyState {
  /** Keys by the physical key that holds them, in the order of pressing. @type {Map<string, string>} */
  #down = new Map();
  /** @type {{keys: string[], action: unknown}[]} */ #entries;
  /** @type {Set<string>} */ #known;
  /** Presses that were not read yet: a tap shorter than a tick counts for one tick. @type {Set<string>} */
  #taps = new Set();

  /**
   * @param {Mapping} mapping
   * @param {'pressed_keys' | 'single_keystroke'} [mode] with single_keystroke a press acts once
   */
  constructor(mapping, mode = 'pressed_keys') {
    this.mode = mode;
    this.#entries = Object.entries(mapping).map(([name, action]) => ({
      keys: name === ',' ? [','] : name.split(',').map((key) => normal(key === ' ' ? key : key.trim())),
      action,
    }));
    this.#known = new Set(this.#entries.flatMap(({ keys }) => keys));
  }

  /** The mapped key that this key stands for, or null. @param {string} key @returns {string | null} */
  resolve(key) {
    const name = normal(key);
    if (this.#known.has(name)) return name;
    const alias = ALIASES[name];
    return alias !== undefined && this.#known.has(alias) ? alias : null;
  }

  /** On a keyboard of another script (Cyrillic, Greek, …) a letter is meant by its place. @param {string} code @param {string} key */
  #byPlace(code, key) {
    const letter = /^Key([A-Z])$/.exec(code)?.[1];
    return letter !== undefined && key > '\u024f' ? this.resolve(letter) : null;
  }

  /**
   * @param {string} code the physical key, which stays the same when a modifier changes its meaning
   * @param {string} key its meaning
   * @returns {boolean} whether the mapping uses it
   */
  press(code, key) {
    const name = this.resolve(key) ?? this.#byPlace(code, key);
    if (name === null) return false;
    if (!this.#down.has(code)) {
      this.#down.set(code, name);
      this.#taps.add(name);
    }
    return true;
  }

  /** @param {string} code @returns {boolean} whether it was down */
  release(code) {
    return this.#down.delete(code);
  }

  releaseAll() {
    this.#down.clear();
    this.#taps.clear();
  }

  /** The action for this tick; undefined: none, and the core plays the seat's default. @returns {unknown} */
  read() {
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
    if (event.ctrlKey || event.metaKey || event.altKey || isEditable(event.target)) return;
    // Space and Enter belong to a button that has the focus.
    if (event.target instanceof HTMLButtonElement && (event.key === ' ' || event.key === 'Enter')) return;
    if (state.press(event.code || event.key, event.key)) event.preventDefault();
  }), { signal });
  window.addEventListener('keyup', guard(report, 'keys.up', (/** @type {KeyboardEvent} */ event) => {
    state.release(event.code || event.key);
  }), { signal });
  window.addEventListener('blur', release, { signal });
  document.addEventListener('visibilitychange', guard(report, 'keys.hidden', () => {
    if (document.hidden) state.releaseAll();
  }), { signal });

  for (const button of buttons) {
    const key = button.dataset['key'] ?? '';
    const up = guard(report, 'keys.touch', () => {
      state.release(`touch:${key}`);
      button.classList.remove('held');
    });
    button.addEventListener('pointerdown', guard(report, 'keys.touch', (/** @type {PointerEvent} */ event) => {
      event.preventDefault();
      button.setPointerCapture(event.pointerId);
      state.press(`touch:${key}`, key);
      button.classList.add('held');
    }), { signal });
    for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      button.addEventListener(name, up, { signal });
    }
    button.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
  }
  return () => {
    stop.abort();
    release();
  };
}
