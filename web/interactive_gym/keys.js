// @ts-check
/**
 * Lets go of the page's keys where nobody tells the page that they came up, and presses those that it would not know.
 *
 * The page goes by `keydown` and `keyup` alone, each by the meaning of its key. A key stays down for it when the window
 * is left, while the browser asks something or shows its menu, while Command is held (macOS tells of no release then),
 * and when Shift has changed its meaning on the way. On a keyboard of another script no key has the meaning of a mapped
 * letter: there the page is told of the letter at its place. Where each stroke acts once, the repeat of a key that was
 * pressed elsewhere is none.
 */

import { guard } from '../core/errors.js';
import { byPlace } from '../core/places.js';

/** @param {'keyup' | 'keydown'} type @param {string} key */
const tell = (type, key) => document.dispatchEvent(new KeyboardEvent(type, { key, bubbles: true }));
/** @param {string} key */
const up = (key) => tell('keyup', key);

/** The page's module that knows what is down. @typedef {{pressedKeys?: Record<string, boolean> | undefined, clearHumanInputBuffers?: (() => void) | undefined}} Graphics */

/**
 * @param {Graphics} graphics
 * @param {Set<string>} down
 */
function releaseKeys(graphics, down) {
  for (const key of new Set([...down, ...Object.keys(graphics.pressedKeys ?? {})])) up(key);
  graphics.clearHumanInputBuffers?.();
}

/** A scene, as far as its keys go. @typedef {{action_mapping?: Record<string, unknown>, input_mode?: string}} Scene */

/** @param {Scene} scene @param {string} key */
const isMapped = (scene, key) => Object.keys(scene.action_mapping ?? {}).some((name) => name === key || name.split(',').includes(key));

/**
 * @param {Graphics} graphics
 * @param {import('../core/errors.js').Report} report
 * @param {() => Scene} scene the one that is played
 * @returns {() => void} stops watching
 */
export function watchKeys(graphics, report, scene) {
  const stop = new AbortController();
  const { signal } = stop;
  /** What each physical key meant when it was pressed. @type {Map<string, string>} */
  const meant = new Map();
  // What the page was told is down, and not that it came up. At the end of an episode its buffers are cleared, which gives
  // `pressedKeys` another object; the page's listeners keep theirs, and with the next key all of it counts again.
  const down = new Set(Object.keys(graphics.pressedKeys ?? {}));
  let ours = false;
  /** @param {() => void} tellsPage what is told to the page is not heard as if somebody had done it */
  const byUs = (tellsPage) => {
    ours = true;
    try {
      tellsPage();
    } finally {
      ours = false;
    }
  };
  const release = guard(report, 'keys', () => {
    byUs(() => releaseKeys(graphics, down));
    meant.clear();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) release();
  }, { signal });
  for (const name of ['blur', 'beforeunload', 'contextmenu']) window.addEventListener(name, release, { signal });
  // Before the page's own listeners, which are at the document.
  window.addEventListener('keydown', guard(report, 'keys', (/** @type {KeyboardEvent} */ event) => {
    const seen = ours || !event.repeat || meant.has(event.code);
    if (!seen && scene().input_mode === 'single_keystroke') event.stopPropagation();
  }), { signal, capture: true });
  // Behind them.
  window.addEventListener('keydown', guard(report, 'keys', (/** @type {KeyboardEvent} */ event) => {
    down.add(event.key);
    if (ours) return;
    if (event.metaKey || event.key === 'Meta') return release();
    if (!event.code) return;
    const place = byPlace(event.code, event.key);
    const key = place && !isMapped(scene(), event.key) && isMapped(scene(), place) ? place : event.key;
    if (!event.repeat) meant.set(event.code, key);
    if (key !== event.key) {
      byUs(() => {
        up(event.key);
        tell('keydown', key);
      });
    }
  }), { signal });
  window.addEventListener('keyup', guard(report, 'keys', (/** @type {KeyboardEvent} */ event) => {
    down.delete(event.key);
    if (ours) return;
    if (event.key === 'Meta') return release();
    const was = meant.get(event.code);
    meant.delete(event.code);
    if (was !== undefined && was !== event.key) byUs(() => void up(was));
    return undefined;
  }), { signal });
  return () => stop.abort();
}
