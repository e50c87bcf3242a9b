// @ts-check
/**
 * The socket.io connection: everything that arrives is handed on, everything that goes out is emitted now.
 *
 * socket.io keeps what is emitted while it is disconnected and sends it after the return, which would put
 * inputs of an old episode into a new one. So nothing is emitted while disconnected: `emit` says no, unless Python
 * said that it is to be kept, or somebody retries knowingly.
 */

import { guard, PageError } from './errors.js';
import { seconds } from './bridge.js';
import { SERVER } from './handed.js';

/**
 * What we use of socket.io's client.
 *
 * @typedef {object} Client
 * @property {boolean} connected
 * @property {(event: string, listener: (...args: any[]) => void) => unknown} on
 * @property {(listener: (event: string, ...args: any[]) => void) => unknown} onAny
 * @property {(event: string, ...args: any[]) => unknown} emit
 * @property {(ms: number) => {emit(event: string, data: unknown, reply: (error: Error | null, value: unknown) => void): unknown}} timeout
 * @property {() => unknown} disconnect
 */

/** @typedef {'connected' | 'disconnected' | 'unreachable'} SocketState */

/**
 * Emit now and wait for the server's acknowledgement; nothing is emitted while disconnected.
 *
 * @param {Client} client
 * @param {string} event
 * @param {unknown} data
 * @param {number} timeout ms
 * @returns {Promise<any>} the server's reply
 */
export function acknowledged(client, event, data, timeout) {
  return new Promise((resolve, reject) => {
    if (!client.connected) {
      reject(new PageError('socket-disconnected', `${event} could not be sent: no connection to the server`));
      return;
    }
    client.timeout(timeout).emit(event, data, (error, value) => {
      if (error) reject(new PageError('socket-timeout', `${event} was not acknowledged within ${timeout / 1000} s`));
      else resolve(value);
    });
  });
}

/**
 * The pause before the next attempt.
 *
 * @param {readonly number[]} pauses
 * @param {number} attempts that failed so far, at least 1
 * @returns {number} of the pauses; after the last one it is the last again
 */
export function pauseAfter(pauses, attempts) {
  return pauses[Math.min(attempts, pauses.length) - 1] ?? 0;
}

/** What is to go out when the connection is back. */
export class Kept {
  /** @type {[string, unknown][]} */ #events = [];

  /** @param {string} event @param {unknown} data */
  add(event, data) {
    this.#events.push([event, data]);
  }

  /** @param {{connected: boolean, emit(event: string, data: unknown): unknown}} client */
  flush(client) {
    if (!client.connected) return;
    const events = this.#events;
    this.#events = [];
    for (const [event, data] of events) client.emit(event, data);
  }
}

export class Socket {
  /** @type {((event: string, data: unknown, arrival: number) => void)[]} */ #listeners = [];
  /** @type {((state: SocketState, reason: string) => void)[]} */ #watchers = [];
  #kept = new Kept();
  #pingTimer = 0;

  /** Round trip to the server in s, from the last ping that was answered. */
  rtt = NaN;

  /**
   * @param {Client} client
   * @param {import('./errors.js').Report} report
   */
  constructor(client, report) {
    this.client = client;
    this.report = report;
    client.onAny(guard(report, 'socket.event', (event, data) => {
      const arrival = seconds();
      for (const listener of this.#listeners) listener(event, data ?? {}, arrival);
    }));
    client.on('connect', guard(report, 'socket.connect', () => {
      this.#tell('connected', '');
      this.#kept.flush(client);
      this.#ping();
    }));
    client.on('disconnect', guard(report, 'socket.disconnect', (reason) => {
      window.clearTimeout(this.#pingTimer);
      this.#tell('disconnected', String(reason));
    }));
    client.on('connect_error', guard(report, 'socket.connect_error', (/** @type {Error} */ error) => {
      this.#tell('unreachable', error.message);
    }));
  }

  get connected() {
    return this.client.connected;
  }

  /**
   * @param {(event: string, data: any, arrival: number) => void} listener
   * @returns {() => void} stops listening
   */
  onEvent(listener) {
    this.#listeners.push(listener);
    return () => void this.#listeners.splice(this.#listeners.indexOf(listener), 1);
  }

  /**
   * @param {(state: SocketState, reason: string) => void} watcher
   * @returns {() => void} stops watching
   */
  onState(watcher) {
    this.#watchers.push(watcher);
    return () => void this.#watchers.splice(this.#watchers.indexOf(watcher), 1);
  }

  /** @param {SocketState} state @param {string} reason */
  #tell(state, reason) {
    for (const watcher of this.#watchers) watcher(state, reason);
  }

  /**
   * @param {string} event
   * @param {unknown} data
   * @param {boolean} [keep] whether it is still of use when the connection is back
   * @returns {boolean} whether it went out or will
   */
  emit(event, data, keep = false) {
    if (this.client.connected) this.client.emit(event, data);
    else if (keep) this.#kept.add(event, data);
    else return false;
    return true;
  }

  /**
   * @param {string} event
   * @param {unknown} data
   * @returns {Promise<any>} the server's reply
   */
  request(event, data) {
    return acknowledged(this.client, event, data, SERVER.acknowledged_within_ms);
  }

  #ping() {
    window.clearTimeout(this.#pingTimer);
    const sent = seconds();
    this.client.timeout(SERVER.ping_patience_ms).emit('pycore_ping', {}, guard(this.report, 'socket.ping', (error) => {
      // An unanswered ping is no sample. The connection itself is socket.io's to judge.
      if (!error) this.rtt = seconds() - sent;
    }));
    this.#pingTimer = window.setTimeout(guard(this.report, 'socket.ping', () => {
      if (this.client.connected) this.#ping();
    }), SERVER.ping_every_ms);
  }

  close() {
    window.clearTimeout(this.#pingTimer);
    this.client.disconnect();
  }
}

/**
 * Connect to the server that served the page.
 *
 * @param {string} moduleURL of socket.io's ES module
 * @param {string} sessionId by which the server gives the seat back when the connection was interrupted
 * @param {import('./errors.js').Report} report
 * @returns {Promise<Socket>}
 */
export async function connectSocket(moduleURL, sessionId, report) {
  const { io } = await import(moduleURL);
  return new Socket(io({
    transports: ['websocket'],
    upgrade: false,
    auth: { session_id: sessionId },
    reconnection: true,
    reconnectionDelay: SERVER.reconnect_ms,
    reconnectionDelayMax: SERVER.reconnect_longest_ms,
  }), report);
}
