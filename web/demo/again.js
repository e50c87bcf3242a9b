// @ts-check
/** Asks for a game again, when the server has said that none begins for the moment, and when to ask. */

import { notice } from './screens.js';
import { withoutConnection } from './words.js';

export class AskAgain {
  #timer = 0;

  /** @param {() => boolean} ask asks, if somebody still waits; whether it was sent */
  constructor(ask) {
    this.ask = ask;
  }

  /** Whether a refusal is one for the moment; then it is seen to. @param {{code?: string, event?: string, again_ms?: number}} refusal */
  takes({ code = '', event = '', again_ms: ms }) {
    if (event !== 'join_game' || ms === undefined) return false;
    notice(withoutConnection(code));
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      if (this.ask()) notice('');
    }, ms);
    return true;
  }
}
