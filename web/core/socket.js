// @ts-check
/**
 * The socket.io connection of a page that has none of its own: everything that arrives is handed on, its state is told,
 * and the round trip to the server is measured. What goes out is `Outgoing`'s.
 */

import { seconds } from './bridge.js';
import { guard } from './errors.js';
import { get } from './fetching.js';
import { SERVER, WALL } from './handed.js';
import { Listeners } from './listeners.js';
import { Outgoing } from './outgoing.js';
import { ROOT } from './root.js';
import { secret } from './seat.js';

/**
 * What we use of socket.io's client beside sending.
 *
 * @typedef {object} Heard
 * @property {(event: string, listener: (...args: any[]) => void) => unknown} on
 * @property {(listener: (event: string, ...args: any[]) => void) => unknown} onAny
 * @property {() => unknown} connect
 * @property {() => unknown} disconnect
 * @property {boolean} active whether it tries again by itself
 */
/** @typedef {import('./outgoing.js').Client & Heard} Client */

/**
 * When a probe of the server's clock went out and its answer came (s), and what the server's clock and ours showed (ms).
 *
 * @typedef {{sent: number, came: number, server_ms: number, own_ms: number}} Probe
 */

/**
 * `refused`: the server answers and takes no more connections; it is asked again.
 *
 * @typedef {'connected' | 'disconnected' | 'unreachable' | 'refused'} SocketState
 */

export class Socket {
  /** @type {Listeners<[event: string, data: any, arrival: number]>} */ #heard = new Listeners();
  /** @type {Listeners<[state: SocketState, reason: string]>} */ #states = new Listeners();
  #out;
  #pingTimer = 0;
  #askTimer = 0;
  /** Whether another socket has the session. */ #replaced = false;
  /** Pings since the connection was made. */
  #pings = 0;
  /** @type {Probe[]} */ #probes = [];

  /** Why the server takes no connection of ours, as long as it does not. */
  refusal = '';
  /** Round trip to the server in s, from the last ping that was answered. */
  rtt = NaN;

  /**
   * @param {Client} client
   * @param {import('./errors.js').Report} report
   * @param {{session_id: string, page: string} | null} [known] by what the server knows this load of the page
   * @param {string} [root] the path under which the server is
   */
  constructor(client, report, known = null, root = ROOT) {
    this.client = client;
    this.root = root;
    this.known = known;
    this.report = report;
    this.#out = new Outgoing(client, SERVER.acknowledged_within_ms, SERVER.characters_per_s);
    client.onAny(guard(report, 'socket.event', (event, data) => {
      // The server measures how far away we are.
      if (event === 'pycore_echo') return this.emit(event, {});
      this.#replaced ||= event === 'pycore_error' && data?.code === 'replaced';
      return this.#heard.tell(event, data ?? {}, seconds());
    }));
    client.on('connect', guard(report, 'socket.connect', () => {
      this.refusal = '';
      this.#replaced = false;
      this.#states.tell('connected', '');
      this.#out.flush();
      this.#pings = 0;
      this.#ping();
    }));
    client.on('disconnect', guard(report, 'socket.disconnect', (reason) => {
      window.clearTimeout(this.#pingTimer);
      this.#states.tell('disconnected', String(reason));
      // socket.io leaves it at that. Who is replaced is not to fight for its place.
      if (reason === 'io server disconnect' && !this.#replaced) this.#askAgain();
    }));
    client.on('connect_error', guard(report, 'socket.connect_error', (/** @type {Error & {data?: any}} */ error) => {
      if (client.active) {
        this.#states.tell('unreachable', error.message);
        return;
      }
      this.refusal = String(error.data?.code ?? error.message);
      this.#states.tell('refused', this.refusal);
      this.#askAgain();
    }));
  }

  /** The server is there, and has ended the connection, or taken none. */
  #askAgain() {
    window.clearTimeout(this.#askTimer);
    this.#askTimer = window.setTimeout(() => void this.client.connect(), SERVER.refused_again_ms);
  }

  get connected() {
    return this.client.connected;
  }

  /** @param {(event: string, data: any, arrival: number) => void} listener @returns {() => void} stops listening */
  onEvent(listener) {
    return this.#heard.add(listener);
  }

  /** @param {(state: SocketState, reason: string) => void} watcher @returns {() => void} stops watching */
  onState(watcher) {
    return this.#states.add(watcher);
  }

  /** @param {string} event @param {unknown} data @param {boolean} [keep] @returns {boolean} as `Outgoing.emit` */
  emit(event, data, keep) {
    return this.#out.emit(event, data, keep);
  }

  /** @param {string} event @param {unknown} data @returns {Promise<any>} the server's reply */
  request(event, data) {
    return this.#out.request(event, data);
  }

  #ping() {
    window.clearTimeout(this.#pingTimer);
    const sent = seconds();
    this.client.timeout(SERVER.ping_patience_ms).emit('pycore_ping', {}, guard(this.report, 'socket.ping', (error, /** @type {any} */ answer) => {
      // An unanswered ping is no sample. The connection itself is socket.io's to judge.
      if (error) return;
      const came = seconds();
      this.rtt = came - sent;
      const wall = answer?.time_ms;
      if (typeof wall !== 'number') return;
      this.#probes.push({ sent, came, server_ms: wall, own_ms: Date.now() });
      if (this.#probes.length > SERVER.probes_kept) this.#probes.shift();
    }));
    this.#pings += 1;
    this.#pingTimer = window.setTimeout(guard(this.report, 'socket.ping', () => {
      if (this.client.connected) this.#ping();
    }), this.#pings < SERVER.first_pings ? SERVER.first_ping_every_ms : SERVER.ping_every_ms);
  }

  /**
   * What probes of the server's clock gave since the last time. Those from before a sleep, in which one of the page's two
   * clocks may stand still, or before the clock was set, would be read by the wrong time.
   *
   * @returns {Probe[]}
   */
  takeProbes() {
    const [now, own] = [seconds(), Date.now()];
    const probes = this.#probes.filter(({ came, own_ms: then }) => Math.abs(own - then - 1000 * (now - came)) < WALL.off_ms);
    this.#probes = [];
    return probes;
  }

  /**
   * The page goes. Its browser may have closed the socket already, so this takes a way of its own.
   *
   * @param {boolean} leaves for good: a page that is loaded again does not come back
   */
  part(leaves) {
    if (this.known === null) return;
    const body = JSON.stringify({ ...this.known, leaves });
    const address = `${this.root}api/parting`;
    // Where beacons are switched off, as some people have it.
    if (!navigator.sendBeacon?.(address, body)) {
      fetch(address, { method: 'POST', body, keepalive: true }).catch((error) => this.report('socket.part', error));
    }
  }

  close() {
    window.clearTimeout(this.#pingTimer);
    window.clearTimeout(this.#askTimer);
    this.client.disconnect();
  }
}

/**
 * Where a network swallows WebSockets, so that they neither open nor fail, or passes nothing on by them, the next attempt
 * begins the other way.
 *
 * @param {any} client socket.io's, and with it its manager
 */
export function changeWays(client) {
  const manager = client.io;
  let byRequests = false;
  /** Since this connection was made the server has said whether it takes us. */
  let answered = false;
  const other = () => {
    byRequests = !byRequests;
    // Requests first: a WebSocket takes over from them where one passes.
    manager.opts.transports = byRequests ? [...SERVER.transports].reverse() : [...SERVER.transports];
  };
  client.on('connect', () => { answered = true; });
  client.on('connect_error', (/** @type {{data?: unknown}} */ error) => { answered ||= error.data !== undefined; });
  manager.on('open', () => { answered = false; });
  // What a network refuses fails at once, and then the same attempt goes on the other way by itself.
  manager.on('error', (/** @type {Error} */ error) => {
    if (error.message === 'timeout') other();
  });
  manager.on('close', () => {
    if (!answered) other();
  });
}

/**
 * Connect to the server that served the page.
 *
 * @param {string} moduleURL of socket.io's ES module
 * @param {string} sessionId by which the server gives the seat back: at once when the connection was interrupted, and when
 *   it joins to a page that was loaded again
 * @param {import('./errors.js').Report} report
 * @param {string} [root] the path under which the server is, with a slash at its end; default: where this module is from
 * @returns {Promise<Socket>}
 */
export async function connectSocket(moduleURL, sessionId, report, root = ROOT) {
  // An import has no patience; what was fetched is there for it.
  await get(moduleURL, 'the connection to the server');
  const { io } = await import(moduleURL);
  const { search } = window.location;
  const known = { session_id: sessionId, page: secret() };
  const client = io({
    path: `${root}socket.io/`,
    // Some networks let no WebSocket pass: then requests carry it all, more slowly, until the next connection.
    transports: [...SERVER.transports],
    tryAllTransports: true,
    timeout: SERVER.connected_within_ms,
    // The subject id is looked for in the address; a page that fails before it joins is known by it, too.
    auth: { ...known, query: search.length <= SERVER.address_characters ? search : '' },
    reconnection: true,
    reconnectionDelay: SERVER.reconnect_ms,
    reconnectionDelayMax: SERVER.reconnect_longest_ms,
  });
  changeWays(client);
  return new Socket(client, report, known, root);
}
