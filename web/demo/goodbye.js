// @ts-check
/**
 * Going from a game, or from the waiting: when, and until the server has heard of it.
 *
 * It keeps the seat of who has not left. Whoever asks for another game with it waits in front of a game that is over: what
 * was said into a connection that was gone, or was going, is said again in the next one, before anything is asked there.
 */

import { SETTLING } from './handed.js';

export class Goodbye {
  #socket;
  #unheard = false;
  #times = 0;

  /** @param {import('../core/socket.js').Socket} socket */
  constructor(socket) {
    this.#socket = socket;
  }

  say() {
    this.#unheard = true;
    this.#times += 1;
    const time = this.#times;
    this.#socket.request('leave_game', {}).then((reply) => {
      // The answer to an earlier one says nothing of what was left since.
      if (reply?.status === 'ok' && time === this.#times) this.heard();
    }, () => {
      // There is no connection, or no answer came by it: it is said again in the next one.
    });
  }

  /** The connection is back. */
  again() {
    if (this.#unheard) this.say();
  }

  /** The server has heard it, or another game has begun. */
  heard() {
    this.#unheard = false;
  }
}

/** Until the others have what they need from us of a game, or do not fetch it. @param {import('../core/game.js').PycoreGame | null} game */
export async function settled(game) {
  const { patience_ms: patience, look_every_ms: every } = SETTLING;
  for (let waited = 0; waited < patience && game?.state().settled === false; waited += every) {
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}
