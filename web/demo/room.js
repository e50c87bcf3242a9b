// @ts-check
/**
 * The waiting room: its server tells us only when somebody comes or goes; the time runs on meanwhile.
 *
 * A study may have people asked whether they are there, before their game begins. What is shown then lies in the same
 * screen: a question, a button, and the time that is left to answer.
 */

import { guard } from '../core/errors.js';
import * as screens from './screens.js';
import { report, status } from './status.js';

let countdown = 0;

/**
 * Show something again every second, with the milliseconds that are left, until the visit is in another phase.
 *
 * @param {string} phase
 * @param {number | undefined} ms
 * @param {(left: number | null) => void} shown
 */
function countDown(phase, ms, shown) {
  clearInterval(countdown);
  // By the clock that nobody sets. One that stood still while the machine slept is put right with the connection.
  const until = performance.now() + (ms ?? 0);
  const show = guard(report, 'visit.waiting', () => {
    if (status.phase !== phase) clearInterval(countdown);
    else shown(ms ? until - performance.now() : null);
  });
  countdown = window.setInterval(show, 1000);
  show();
}

/** @param {any} room what the server says of it */
export function showRoom(room) {
  screens.showReady(null);
  countDown('waiting', room.ms_remaining, (left) => screens.showWaiting({ ...room, ms_remaining: left }));
}

/** @param {any} check what the server says of it: `ms_remaining`, and how many `players` are asked */
export function showCheck(check) {
  screens.showReady('asked');
  countDown('asked', check.ms_remaining, (left) => screens.showTimeLeft('waiting.answer', left));
}
