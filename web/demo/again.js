// @ts-check
/** Asks for a game again, when the server has said that none begins for the moment, and when to ask. */

import { notice } from './screens.js';
import { withoutConnection } from './words.js';

let timer = 0;

/**
 * Whether a refusal is one for the moment; then it is seen to. What is said of it stays until the server says something
 * else: taken away and said again at every question, it would be read aloud each time.
 * @param {{code?: string, event?: string, again_ms?: number | undefined}} refusal
 * @param {() => unknown} ask asks, if somebody still waits
 */
export function askedAgain({ code = '', event = '', again_ms: ms }, ask) {
  if (event !== 'join_game' || ms === undefined) return false;
  notice(withoutConnection(code));
  window.clearTimeout(timer);
  timer = window.setTimeout(ask, ms);
  return true;
}
