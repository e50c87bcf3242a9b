// @ts-check
/**
 * What a session leaves behind and where it goes: records and metrics of each episode, and of the whole; and all along,
 * when Python says that it is time, what the participant saw.
 *
 * Everything is handed to the outbox (storage.js), which keeps it until the server has it. An episode is handed
 * over once, when Python says that it is final; the session's end hands over what is left. Records are cut into
 * parts, since the server bounds the size of one event.
 */

import { STORING } from './handed.js';
import { parts } from './storage.js';

export class Deposit {
  /** @type {Set<number>} */ #episodes = new Set();
  #complete = false;
  /** The parts of the experienced record that were handed over. @type {string[]} */ #experienced = [];

  /**
   * @param {import('../core/game.js').PycoreGame} game
   * @param {import('./storage.js').Outbox} outbox
   * @param {string} sessionId with it the server takes stores also at a later visit, when this socket is gone
   * @param {import('../core/errors.js').Report} report
   */
  constructor(game, outbox, sessionId, report) {
    this.game = game;
    this.outbox = outbox;
    this.report = report;
    this.identity = { game_id: game.gameId, player_id: game.myPlayerId, session_id: sessionId };
  }

  /** What of this session the server has not got yet. */
  get pending() {
    return this.outbox.items.filter(({ data }) => data['game_id'] === this.game.gameId).length;
  }

  /** Whether the whole session has been acknowledged. */
  get stored() {
    return this.#complete && this.pending === 0;
  }

  /** The whole experienced record so far. */
  get experiencedRecord() {
    return this.#experienced.join('');
  }

  /** What came to the experienced record since the last time. @param {boolean} [last] nothing more will come */
  experienced(last = false) {
    const found = parts(this.game.takeExperienced(), STORING.part_characters);
    found.forEach((data, number) => {
      // That nothing more will come is said also where the end of an episode took the last of it.
      if (data === '' && (!last || this.#experienced.length === 0)) return;
      const end = last && number === found.length - 1;
      this.#keep('pycore_experienced', { part: this.#experienced.length, last: end, data });
      this.#experienced.push(data);
    });
  }

  /** An episode's records and the metrics so far. @param {number} episode */
  episode(episode) {
    this.experienced();
    if (this.#episodes.has(episode)) return;
    this.#episodes.add(episode);
    const records = parts(this.game.episodeRecords(episode), STORING.part_characters);
    records.forEach((data, part) => {
      this.#keep('pycore_records', { episode, part, parts: records.length, data });
    });
    this.#keep('p2p_session_metrics', { episode, metrics: this.game.exportSessionMetrics() });
  }

  /** The end: every episode that was begun and not handed over yet, and the metrics of the session. */
  session() {
    const { episode: last, num_episodes: episodes } = this.game.hud();
    for (let episode = 0; episode <= last && episode < episodes; episode += 1) {
      // After a stop the next episode has a number, but not a frame.
      if (this.game.episodeRecords(episode).trim().includes('\n')) this.episode(episode);
    }
    if (!this.#complete) this.experienced(true);
    this.#complete = true;
    this.#keep('p2p_session_metrics', { episode: -1, metrics: this.game.exportSessionMetrics() });
  }

  /** What differs from another player is known now; at the end it may come after everything else. */
  differences() {
    if (this.#complete) this.#keep('p2p_session_metrics', { episode: -1, metrics: this.game.exportSessionMetrics() });
  }

  /** @param {string} event @param {Record<string, any>} data */
  #keep(event, data) {
    this.outbox.put(event, { ...this.identity, ...data }).catch((error) => this.report('deposit.keep', error));
  }
}
