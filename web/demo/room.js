// @ts-check
/** The waiting room: its server tells us only when somebody comes or goes; the time runs on meanwhile. */

import { guard } from '../core/errors.js';
import * as screens from './screens.js';
import { report, status } from './status.js';

let countdown = 0;

/** @param {any} room what the server says of it */
export function showRoom(room) {
  clearInterval(countdown);
  const until = Date.now() + (room.ms_remaining ?? 0);
  const show = guard(report, 'visit.waiting', () => {
    if (status.phase !== 'waiting') clearInterval(countdown);
    else screens.showWaiting({ ...room, ms_remaining: room.ms_remaining ? until - Date.now() : null });
  });
  countdown = window.setInterval(show, 1000);
  show();
}
