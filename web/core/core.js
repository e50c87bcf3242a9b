// @ts-check
/**
 * One session in Python and its connections: what every page needs, whoever owns the loop.
 *
 * `sendInputToOtherPlayers` hands Python what arrived and the local action and carries out what it answers;
 * `advance` lets it simulate. Every decision (which path, when to stall, when an episode ends) is Python's.
 * The names by which pages know a session stand here too.
 */

import {
  Bridge, CHUNK, DATAGRAM, EVENT, NO_LINK, OUTBOX_FILLED, OUT_CHUNK, OUT_DATAGRAM, OUT_EMIT, OUT_NEWS, OUT_RTC,
  encodeAction, readOutbox, seconds, toJson,
} from './bridge.js';
import { Channels } from './channel.js';
import { PageError, guard } from './errors.js';
import { OUTBOX, WALL } from './handed.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @typedef {{news: string, [key: string]: any}} News */

/**
 * What a session needs of a socket.io connection; `Socket` is one.
 *
 * @typedef {object} Server
 * @property {boolean} connected
 * @property {number} rtt s; NaN where it is unknown
 * @property {() => import('./socket.js').Probe[]} [takeProbes] what probes of the server's clock gave since the last time
 * @property {(event: string, data: unknown, keep?: boolean) => boolean} emit whether it went out, or will: what is
 *   kept goes out when the connection is back
 * @property {(listener: (event: string, data: any, arrival: number) => void) => () => void} onEvent returns how to stop
 */

/**
 * @typedef {object} CoreParts
 * @property {(config: string, environment: any, clock: () => number) => any} create `pycore.bridge.create` or its like
 * @property {any} environment the Python environment
 * @property {Record<string, any>} config what `create` takes, but for the clock
 * @property {Server} socket
 * @property {import('./errors.js').Report} report
 * @property {((news: News) => void) | undefined} [onNews]
 * @property {() => void} nudge something arrived: the loop may be late
 */

export class Core {
  #parts;
  #sender;
  /** @type {(() => void)[]} */ #stopListening = [];
  #rtt = NaN;
  /** Whether anybody saw the page at the last tick. */
  #hidden = document.hidden;
  #wallDue;
  /** When the running tick began, and what the one before took, s. */
  #began = 0;
  #worked = 0;
  /** @type {{link: number, seq: number}[]} */ #refused = [];
  /** @type {[number, any][]} */ #orders = [];
  /** Whether an action was told that cannot cross. */ #unsaid = false;

  /** Python raised: nothing is handed in any more. */
  failed = false;
  /** The session is over and the page may have left the game: with the others it speaks still, with the server no more. */
  parting = false;

  /** @param {CoreParts} parts */
  constructor(parts) {
    const { config, socket, report } = parts;
    this.#parts = parts;
    this.gameId = config['game_id'];
    this.myPlayerId = config['player_id'];
    const now = seconds();
    this.#wallDue = now + WALL.every_s;
    const proxy = parts.create(
      JSON.stringify({ ...config, wall_ms: Date.now(), now }), parts.environment, seconds,
    );
    const links = proxy.link_count;
    this.bridge = new Bridge(proxy, links);
    this.channels = new Channels(links, {
      happened: (data) => this.arrived({ event: 'rtc', data }, seconds()),
      received: (link, data, streamed) => {
        if (this.failed) return;
        this.bridge.inbox.put(streamed ? CHUNK : DATAGRAM, link, seconds(), data);
        parts.nudge();
      },
      report,
    });
    this.#stopListening.push(socket.onEvent((event, data, arrival) => {
      this.arrived({ event, data }, arrival);
      parts.nudge();
    }));

    this.#sender = Object.freeze({
      recordAndSend: (/** @type {Uint8Array} */ bytes, /** @type {number} */ link = 0) => this.channels.send(link, bytes),
    });
  }

  // ------------------------------------------------------------------ the two halves of a tick

  /**
   * Hand Python what arrived and the local action, and carry out what it answers.
   *
   * @param {unknown} action
   */
  sendInputToOtherPlayers(action) {
    const bridge = this.bridge;
    const { socket } = this.#parts;
    const { hidden } = document;
    const now = seconds();
    this.#began = now;
    // A socket of the page's own may say in other ways that it does not know.
    const measured = socket.rtt !== this.#rtt && Number.isFinite(socket.rtt);
    // Before what a probe of the server's clock gave, which is read by it.
    if (measured || now >= this.#wallDue || (this.#hidden && !hidden)) {
      this.#wallDue = now + WALL.every_s;
      bridge.call('set_wall_ms', now, Date.now());
    }
    this.#hidden = hidden;
    if (measured) {
      this.#rtt = socket.rtt;
      bridge.call('set_socketio_rtt', socket.rtt);
      for (const { sent, came, server_ms: wall } of socket.takeProbes?.() ?? []) {
        bridge.call('server_answered', sent, came, wall);
      }
    }
    let length;
    try {
      const used = bridge.inbox.seal(socket.connected && !this.parting, hidden, (link) => this.channels.state(link), this.#worked,
        (link) => this.channels.streamState(link));
      length = bridge.poll(now, this.#encoded(action), used);
    } finally {
      bridge.inbox.consumed();
    }
    this.carryOut(length);
  }

  /**
   * What JSON cannot say is no action: the page is told once, the seat's default is played, and nobody's game ends for it.
   *
   * @param {unknown} action
   */
  #encoded(action) {
    try {
      return encodeAction(action);
    } catch (error) {
      if (!this.#unsaid) this.#parts.report('game.action', error);
      this.#unsaid = true;
      return '';
    }
  }

  /**
   * Let Python roll back, step and publish, and carry out what it answers.
   *
   * @returns {number} flags
   */
  advance() {
    const flags = this.bridge.advance(seconds());
    if (flags & OUTBOX_FILLED) this.carryOut(this.bridge.outboxLength());
    this.#worked = seconds() - this.#began;
    return flags;
  }

  /** @param {number} length bytes in the outbox */
  carryOut(length) {
    const orders = this.#orders;
    for (let round = 0; ; round += 1) {
      readOutbox(this.bridge.outbox, length, this.#take);
      // Only now, since it overwrites the outbox that was just read.
      const refused = this.#refused.shift();
      if (refused === undefined) break;
      if (round >= OUTBOX.rounds) {
        this.#refused.length = 0;
        throw new PageError('send-rounds', `sending failed ${OUTBOX.rounds} times in one tick`);
      }
      length = this.bridge.sendFailed(seconds(), refused.link, refused.seq);
    }
    // News may make the page ask Python for records: not while the outbox is being read.
    if (orders.length === 0) return;
    this.#orders = [];
    for (const [kind, order] of orders) {
      try {
        this.#obey(kind, order);
      } catch (error) {
        this.#parts.report(`game.order ${order.event ?? order.command ?? order.news}`, error);
      }
    }
  }

  /** @type {(kind: number, link: number, seq: number, payload: Uint8Array) => void} */
  #take = (kind, link, seq, payload) => {
    if (kind === OUT_DATAGRAM) {
      try {
        this.#sender.recordAndSend(payload, link);
      } catch (error) {
        this.#refused.push({ link, seq });
        this.#parts.report('game.send', error);
      }
      return;
    }
    if (kind === OUT_CHUNK) {
      try {
        this.channels.sendChunk(link, payload);
      } catch (error) {
        // Python sees the channel's state, and that nobody has the chunk.
        this.#parts.report('game.stream', error);
      }
      return;
    }
    this.#orders.push([kind, JSON.parse(decoder.decode(payload))]);
  };

  /** @param {number} kind @param {any} order */
  #obey(kind, order) {
    switch (kind) {
      case OUT_EMIT:
        this._sendViaSocketIO(order.data, order.event, order.keep);
        break;
      case OUT_RTC:
        // A page may have closed its game at the news before.
        if (!this.bridge.closed) this.channels.execute(order);
        break;
      case OUT_NEWS: {
        /** @type {unknown} */
        const heard = this.#parts.onNews?.(order);
        if (heard instanceof Promise) heard.catch((error) => this.#parts.report(`game.order ${order.news}`, error));
        break;
      }
      default:
        throw new PageError('outbox-kind', `the outbox has a record of the unknown kind ${kind}`);
    }
  }

  /**
   * Emit what Python wants emitted; without an event it is an input.
   *
   * @param {Record<string, any>} data
   * @param {string} [event]
   * @param {boolean} [keep] whether it is still of use when the connection is back
   */
  _sendViaSocketIO(data, event = 'pyodide_player_action', keep = false) {
    const { socket, report } = this.#parts;
    if (!socket.emit(event, data, keep)) {
      report('game.emit', new PageError('socket-disconnected', `${event} was not sent: no connection to the server`));
    }
  }

  /** @param {{event: string, data: unknown}} event @param {number} arrival s */
  arrived(event, arrival) {
    if (this.bridge.closed || this.failed || this.parting) return;
    this.bridge.inbox.put(EVENT, NO_LINK, arrival, encoder.encode(toJson(event)));
  }

  /**
   * What the server sent before the game existed, with the time of its arrival.
   *
   * @param {{event: string, data: unknown, arrival: number}[]} events
   */
  catchUp(events) {
    // One that is too large, as another page may send it, keeps no game from beginning.
    const take = guard(this.#parts.report, 'core.early', (/** @type {{event: string, data: unknown}} */ event, /** @type {number} */ arrival) => (
      this.arrived(event, arrival)));
    for (const { event, data, arrival } of events) take({ event, data }, arrival);
  }

  // ------------------------------------------------------------------ names of the contract

  /**
   * Take in the input of a remote player that came by other ways than the links.
   *
   * @param {number | string} playerId
   * @param {unknown} action
   * @param {number} frame
   * @returns {boolean} whether it was accepted
   */
  storeRemoteInput(playerId, action, frame) {
    return this.bridge.call('store_remote_input', JSON.stringify(playerId), JSON.stringify(action ?? null), frame);
  }

  /** The metrics of the session. @returns {any} */
  exportSessionMetrics() {
    return JSON.parse(this.bridge.read('export_session_metrics'));
  }

  /** @returns {any} */
  get sessionMetrics() {
    return this.exportSessionMetrics();
  }

  /** @returns {any} */
  get p2pMetrics() {
    return JSON.parse(this.bridge.read('p2p_metrics'));
  }

  /** @returns {any} */
  hud() {
    return JSON.parse(this.bridge.read('hud'));
  }

  /**
   * The smaller words of the contract, and whether the others have all that they need from us (`settled`).
   *
   * @returns {{p2pHealthy: boolean, p2pConnected: boolean, p2pInputSender: boolean, settled: boolean,
   *   pendingRollbackFrame: number | null, p2pHashMismatches: number, syncEpoch: number}}
   */
  state() {
    return JSON.parse(this.bridge.read('state'));
  }

  /** Whether every link is connected and no fallback is in force. */
  get p2pHealthy() {
    return this.state().p2pHealthy;
  }

  get p2pConnected() {
    return this.state().p2pConnected;
  }

  /** The way of an input that is tried first, once there is a channel; it throws if the browser refuses. */
  get p2pInputSender() {
    return this.state().p2pInputSender ? this.#sender : null;
  }

  get pendingRollbackFrame() {
    return this.state().pendingRollbackFrame;
  }

  get p2pHashMismatches() {
    return this.state().p2pHashMismatches;
  }

  get syncEpoch() {
    return this.state().syncEpoch;
  }

  // ------------------------------------------------------------------ data and the end

  /** The canonical records of the whole session, as JSON lines. @returns {string} */
  records() {
    return this.bridge.read('records');
  }

  /** @param {number} episode @returns {string} */
  episodeRecords(episode) {
    return this.bridge.read('episode_records', episode);
  }

  /**
   * What was recorded since the last time and is to be stored: events and their payloads, but for whose they are. Asked
   * for at the news `store`; Python counts it as taken.
   *
   * @param {number | null} [ended] the episode that is at its end, -1 for the session: with its metrics
   * @returns {[string, Record<string, any>][]}
   */
  takeStores(ended = null) {
    const { bridge } = this;
    return JSON.parse(ended === null ? bridge.call('take_stores', seconds()) : bridge.call('take_end_stores', seconds(), ended));
  }

  /** End the session with this episode, on a frame that all players share. */
  requestStop() {
    this.bridge.call('request_stop', seconds());
  }

  get phase() {
    return this.bridge.phase;
  }

  get frame() {
    return this.bridge.frame;
  }

  /**
   * The browser's objects of a link, for tests that cut the connection.
   *
   * @param {number} [link]
   */
  inspectLink(link = 0) {
    return this.channels.inspect(link);
  }

  /** Close the links and give everything back to Python. Idempotent. */
  close() {
    this.channels.close();
    for (const stop of this.#stopListening) guard(this.#parts.report, 'core.close', stop)();
    this.#stopListening = [];
    // The environment's own close() may raise, and the page goes on to its next game all the same.
    if (!this.bridge.closed) guard(this.#parts.report, 'core.close', () => this.bridge.close())();
  }
}
