// @ts-check
/**
 * What a session leaves behind and where it goes.
 *
 * Python says when there is something, and makes of it what the server takes (bridge/stores.py); here it is said whose it
 * is, and handed to the outbox (storage.js), which keeps it until the server has it.
 */

/** The episode of what is stored of a session as a whole. */
const WHOLE = -1;

export class Deposit {
  /** Episodes whose end was handed over. @type {Set<number>} */ #ended = new Set();
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
    outbox.plays = () => game.outcome === 'running';
    outbox.holds = () => game.outcome === 'running' && !game.p2pHealthy;
    outbox.hold(game.gameId, game.myPlayerId);
    this.identity = { game_id: game.gameId, player_id: game.myPlayerId, session_id: sessionId };
  }

  /** What of this session the server has not got yet, and what of that it does not take. */
  get kept() {
    return this.outbox.keptOf((data) => data['game_id'] === this.game.gameId);
  }

  /** Whether the whole session has been acknowledged. */
  get stored() {
    return this.#ended.has(WHOLE) && this.kept.pending === 0;
  }

  /** The whole experienced record so far. */
  get experiencedRecord() {
    return this.#experienced.join('');
  }

  /** Hand over what was recorded since the last time: at the news `store`. */
  take() {
    this.#keep(this.game.takeStores());
  }

  /** The same when the page goes away: its next load finds it in the tab, if there was no time for anything else. */
  depart() {
    try {
      this.take();
    } finally {
      this.outbox.depart();
    }
  }

  /** The end of an episode: what is left of it, and the metrics up to here. @param {number} episode */
  episode(episode) {
    if (this.#ended.has(episode)) return;
    this.#keep(this.game.takeStores(episode));
    this.#ended.add(episode);
  }

  /** The end: everything that is left, and the metrics of the session. */
  session() {
    this.episode(WHOLE);
  }

  /** What differs from another player is known now; at the end it may come after everything else. */
  differences() {
    if (this.#ended.has(WHOLE)) this.#keep(this.game.takeStores(WHOLE));
  }

  /** @param {[string, Record<string, any>][]} stores */
  #keep(stores) {
    for (const [event, data] of stores) {
      if (event === 'pycore_experienced') this.#experienced.push(data['data']);
      this.outbox.put(event, { ...this.identity, ...data }).catch((error) => this.report('deposit.keep', error));
    }
  }
}
