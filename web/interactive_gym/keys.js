// @ts-check
/**
 * Lets go of the page's keys where nobody tells the page that they came up.
 *
 * The page goes by `keydown` and `keyup` alone, each by the meaning of its key. A key stays down for it when the window
 * is left, while Command is held (macOS tells of no release then), and when Shift has changed its meaning on the way.
 */

import { guard } from '../core/errors.js';

/** @param {string} key */
const up = (key) => document.dispatchEvent(new KeyboardEvent('keyup', { key, bubbles: true }));

/** The page's module that knows what is down. @typedef {{pressedKeys?: Record<string, boolean> | undefined, clearHumanInputBuffers?: (() => void) | undefined}} Graphics */

/** @param {Graphics} graphics */
function releaseKeys(graphics) {
  for (const key of Object.keys(graphics.pressedKeys ?? {})) up(key);
  graphics.clearHumanInputBuffers?.();
}

/** @param {Graphics} graphics @param {import('../core/errors.js').Report} report @returns {() => void} stops watching */
export function watchKeys(graphics, report) {
  const stop = new AbortController();
  const { signal } = stop;
  /** What each physical key meant when it was pressed. @type {Map<string, string>} */
  const meant = new Map();
  let ours = false;
  const release = guard(report, 'keys', () => {
    ours = true;
    try {
      releaseKeys(graphics);
    } finally {
      ours = false;
    }
    meant.clear();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) release();
  }, { signal });
  window.addEventListener('blur', release, { signal });
  // At the window: behind the page's own listeners, which are at the document.
  window.addEventListener('keydown', (event) => {
    if (event.metaKey || event.key === 'Meta') release();
    else if (event.code && !event.repeat) meant.set(event.code, event.key);
  }, { signal });
  window.addEventListener('keyup', guard(report, 'keys', (/** @type {KeyboardEvent} */ event) => {
    if (ours) return;
    if (event.key === 'Meta') return release();
    const was = meant.get(event.code);
    meant.delete(event.code);
    if (was !== undefined && was !== event.key) {
      ours = true;
      up(was);
      ours = false;
    }
    return undefined;
  }), { signal });
  return () => stop.abort();
}
