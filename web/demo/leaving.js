// @ts-check
/**
 * A question before somebody leaves by accident: a game that runs, in which others wait then, or data that the server has
 * not got yet. The browser asks, in words of its own, and only whoever has done something on the page.
 */

import { status } from './status.js';

/** Whether the page itself is what loads it again. */
let ours = false;

/** Load the page again, without a question. */
export function reload() {
  ours = true;
  location.reload();
}

/** Whether something would be lost. @param {{phase: string, pending: number}} visit */
export function asks({ phase, pending }) {
  return ['connecting', 'playing', 'between'].includes(phase) || (phase === 'done' && pending > 0);
}

export function askBeforeLeaving() {
  window.addEventListener('beforeunload', (event) => {
    if (!ours && asks(status)) event.preventDefault();
  });
}
