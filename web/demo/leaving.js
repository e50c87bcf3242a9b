// @ts-check
/**
 * A question before somebody leaves by accident: a game that runs, in which others wait then, or data that the server has
 * not got yet. The browser asks, in words of its own, and only whoever has done something on the page.
 */

import { plays, status } from './status.js';

/** Whether the page itself is what loads it again. */
let ours = false;

/** Load the page again, without a question. */
export function reload() {
  ours = true;
  location.reload();
}

/** Whether something would be lost. What the server never takes is none of it: nobody waits for that. @param {{phase: string, pending: number, refused?: number}} visit */
export function asks({ phase, pending, refused = 0 }) {
  return plays(phase) || (['done', 'failed'].includes(phase) && pending > refused);
}

export function askBeforeLeaving() {
  window.addEventListener('beforeunload', (event) => {
    if (!ours && asks(status)) event.preventDefault();
  });
  // A page that comes back from the browser's cache has lost its connections: there is nothing to stay for.
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) reload();
  });
}
