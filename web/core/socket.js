// @ts-check
/**
 * The socket.io connection: everything that arrives is handed on, everything that goes out is emitted now.
 *
 * socket.io keeps what is emitted while it is disconnected and sends it after the return, which would put
 * inputs of an old episode into a new one. So nothing is emitted while disconnected: `emit` says no, and who
 * wants to retry does so knowingly.
 */

import { guard, PageError } from './errors.js';
import { seconds } from './bridge.js';

const ACK_TIMEOUT = 10_000;
const PING_INTERVAL = 2000;

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
 * @param {number} attempts that failed so far, at least 1
 * @returns {number} ms
 */
export function retryDelay(attempts) {
  return Math.min(30, 2 ** (attempts - 1)) * 1000;
}

export class Socket {
  /** @type {((event: string, data: unknown, arrival: number) => void)[]} */ #listeners = [];
  /** @type {((state: SocketState, reason: string) => void)[]} */ #watchers = [];
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
   * @returns {boolean} whether it went out
   */
  emit(event, data) {
    if (!this.client.connected) return false;
    this.client.emit(event, data);
    return true;
  }

  /**
   * @param {string} event
   * @param {unknown} data
   * @param {number} [timeout] ms
   * @returns {Promise<any>} the server's reply
   */
  request(event, data, timeout = ACK_TIMEOUT) {
    return acknowledged(this.client, event, data, timeout);
  }

  #ping() {
    window.clearTimeout(this.#pingTimer);
    const sent = seconds();
    this.client.timeout(PING_INTERVAL * 2).emit('pycore_ping', {}, guard(this.report, 'socket.ping', (error) => {
      // An unanswered ping is no sample. The connection itself is socket.io's to judge.
      if (!error) this.rtt = seconds() - sent;
    }));
    this.#pingTimer = window.setTimeout(guard(this.report, 'socket.ping', () => {
      if (this.client.connected) this.#ping();
    }), PING_INTERVAL);
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
    reconnectionDelay: 500,
    reconnectionDelayMax: 4000,
  }), report);
}
