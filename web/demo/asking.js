// @ts-check
/** Asking for a game and waiting for it: what the server is told, and what of its words are shown meanwhile. */

import { seconds } from '../core/bridge.js';
import { askedAgain } from './again.js';
import { RETURNING } from './handed.js';
import { showCheck, showRoom } from './room.js';
import * as screens from './screens.js';
import { status } from './status.js';

/** @typedef {{take_over?: boolean, unbegun?: string}} Wish to take another window's place; in place of a game that did not begin */

/** Whether nobody presses anything here: a rehearsal. */
export const automatic = () => new URLSearchParams(location.search).get('autojoin') === '1';

/** Whether this person waits for a game. */
export const waits = () => status.phase === 'waiting' || status.phase === 'asked';

export class Asking {
  /** @type {Wish} */ #wish = {};
  /** When this person asked for a game, ms since the epoch and s of the page's clock. @type {[number, number] | null} */ #since = null;

  /**
   * @param {import('../core/socket.js').Socket} socket
   * @param {string} sessionId by which the server knows this page again
   * @param {(phase: import('./status.js').PagePhase) => void} enter
   */
  constructor(socket, sessionId, enter) {
    this.socket = socket;
    this.sessionId = sessionId;
    this.enter = enter;
  }

  /**
   * When this person asked for a game, ms since the epoch; 0: it did not. A clock that was set back meanwhile makes nobody's
   * waiting shorter than it was; the page's own may have stood still while the machine slept.
   */
  get since() {
    if (this.#since === null) return 0;
    const [then, began] = this.#since;
    return Math.min(then, Math.round(Date.now() - 1000 * (seconds() - began)));
  }

  /** @param {Wish} wish @returns {boolean} whether the server could be asked */
  begin(wish) {
    this.#wish = wish;
    // Who asks in place of a game that did not begin waits on for the same one.
    if (!wish.unbegun || this.#since === null) this.#since = [Date.now(), seconds()];
    this.enter('waiting');
    screens.showReady(null);
    screens.showWaiting(wish.unbegun ? { note: 'other_left' } : {});
    screens.show('waiting');
    return this.ask();
  }

  /** The same once more, when the connection is back. */
  ask() {
    return this.socket.emit('join_game', { session_id: this.sessionId, query: location.search, ...this.#wish });
  }

  /** The person is there; the server has asked. */
  ready() {
    if (status.phase !== 'asked') return;
    this.socket.emit('ready', {});
    screens.showReady('answered');
  }

  /** Whether a refusal is one for the moment; then the game is asked for again. @param {{code?: string, event?: string, again_ms?: number}} refusal */
  refused({ code = '', event = '', again_ms: given }) {
    // No process of the server may answer for a moment: who is not asked for again would wait where nobody comes.
    const ms = given ?? (code === 'store_failed' ? RETURNING.again_ms : undefined);
    return waits() && askedAgain({ code, event, again_ms: ms }, () => waits() && this.ask());
  }

  /** What the server says to somebody who waits. @param {string} event @param {any} data */
  heard(event, data) {
    if (!waits()) return;
    if (['waiting_room', 'ready_check'].includes(event)) screens.notice('');
    if (event === 'waiting_room') {
      this.enter('waiting');
      showRoom(data);
    } else if (event === 'ready_check') {
      this.enter('asked');
      showCheck(data);
      if (automatic()) this.ready();
    } else if (event === 'outcome' && (data.next || !data.game_id)) {
      // What an earlier game came to, whose data were on their way still, ends no waiting, unless this person is sent on.
      if (data.game_id) this.socket.emit('leave_game', {});
      this.enter('over');
      screens.showOver(data.outcome);
    }
  }
}
