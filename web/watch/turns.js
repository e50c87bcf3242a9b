// @ts-check
/**
 * All pictures of the page take turns in one timer: together they step no longer than one turn may last.
 *
 * Whoever's turn did not come is the first one next time, so that of many games, or slow ones, each goes on.
 */

import { WATCHING } from './handed.js';

/** @typedef {(now: number, until: number) => void} Turn what is done at a time, and until when at the latest, ms */

/** @type {Turn[]} */
const waiting = [];
let timer = 0;

function all() {
  const now = performance.now();
  const until = now + WATCHING.longest_ms;
  for (const turn of [...waiting]) {
    if (performance.now() >= until) break;
    if (!waiting.includes(turn)) continue;
    waiting.splice(waiting.indexOf(turn), 1);
    waiting.push(turn);
    turn(now, until);
  }
}

/**
 * Give somebody a turn now and then.
 *
 * @param {Turn} turn
 * @returns {() => void} ends it
 */
export function takingTurns(turn) {
  waiting.push(turn);
  timer ||= window.setInterval(all, WATCHING.turn_ms);
  return () => {
    if (waiting.includes(turn)) waiting.splice(waiting.indexOf(turn), 1);
    if (waiting.length > 0) return;
    window.clearInterval(timer);
    timer = 0;
  };
}
