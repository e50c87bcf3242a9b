// @ts-check
/** The way back of a page that was loaded again in the middle of a game: what it asks the server, and when. */

import { PageError } from '../core/errors.js';
import { forgetSeat, keptSeat } from '../core/seat.js';
import { RETURNING } from './handed.js';

/** Whether an answer did not come in time; the connection stands. @param {unknown} error */
const isLate = (error) => error instanceof PageError && error.code === 'socket-timeout';

export class Comeback {
  #asked = 0;
  /** The game to come back to; null: there is none any more. @type {string | null} */ game;

  /**
   * @param {import('../core/socket.js').Socket} socket
   * @param {import('../core/seat.js').Kept | null} kept
   */
  constructor(socket, kept) {
    this.socket = socket;
    this.game = kept?.game ?? null;
  }

  /**
   * Whether the game goes on: asked while Python is loaded, since nobody should wait for a game that is over.
   *
   * @returns {Promise<boolean>} false: it is known to be over
   */
  async isKept() {
    const reply = await this.socket.request('seat_kept', {});
    if (reply?.status === 'ok' && !reply.kept) this.forget();
    return this.game !== null;
  }

  /** The same, however long the server takes. @returns {Promise<boolean>} */
  async #isKeptAtLast() {
    for (;;) {
      try {
        return await this.isKept();
      } catch (error) {
        if (!isLate(error)) throw error;
      }
    }
  }

  /**
   * Ask for the seat; the game then begins as any other does, by the server's events.
   *
   * @param {string} session
   * @returns {Promise<boolean>} false: it is known that there is none
   */
  async join(session) {
    const game = this.game;
    if (game === null) return false;
    const asked = (this.#asked += 1);
    let reply;
    try {
      reply = await this.socket.request('join_game', { session_id: session, game_id: game, query: location.search });
    } catch (error) {
      if (!isLate(error)) throw error;
      // Who has the seat again hears of the game. That there is none stood in the answer alone, and to ask for the seat
      // once more would be another load.
      return this.#isKeptAtLast();
    }
    if (reply?.code === 'store_failed') {
      // A server that was started anew, and cannot read yet what games there are.
      await new Promise((resolve) => setTimeout(resolve, RETURNING.again_ms));
      // With the next connection it is asked anew, or was already: each answer is another load for the server.
      return this.socket.connected && asked === this.#asked ? this.join(session) : true;
    }
    if (reply?.status === 'ok' && reply.state === 'over') this.forget();
    return this.game !== null;
  }

  /** The page goes from a game: who may come back to it does not leave it. */
  depart() {
    const leaves = keptSeat() === null;
    if (leaves) this.socket.emit('leave_game', {});
    this.socket.part(leaves);
  }

  forget() {
    this.game = null;
    forgetSeat();
  }
}
