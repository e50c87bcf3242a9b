// @ts-check
/**
 * What goes out over a page's socket.io connection: now, after its return, or with the server's word that it came.
 *
 * socket.io keeps what is emitted while it is disconnected and sends it after the return, which would put inputs of an
 * old episode into a new one. So nothing is emitted while disconnected: `emit` says no, unless Python said that it is to
 * be kept, or somebody retries knowingly.
 */

import { PageError } from './errors.js';

/**
 * What is needed of socket.io's client for sending.
 *
 * @typedef {object} Client
 * @property {boolean} connected
 * @property {(event: string, ...args: any[]) => unknown} emit
 * @property {(ms: number) => {emit(event: string, data: unknown, reply: (error: Error | null, value: unknown) => void): unknown}} timeout
 */

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

/**
 * About what crosses the line for a payload, in characters; socket.io sends binary data as they are.
 *
 * @param {unknown} data
 * @returns {number}
 */
function sizeOf(data) {
  let binary = 0;
  // What lies at the key, not what its toJSON makes of it: the host page's packer gives its bytes one.
  /** @this {any} @param {string} key @param {unknown} value */
  function asText(key, value) {
    const given = this[key];
    if (!ArrayBuffer.isView(given) && !(given instanceof ArrayBuffer)) return value;
    binary += given.byteLength;
    return null;
  }
  const text = JSON.stringify(data ?? {}, asText);
  return text.length + binary;
}

export class Outgoing {
  #client;
  #patience;
  #pace;
  /** What waits for the return of the connection. @type {[string, unknown][]} */ #kept = [];

  /**
   * @param {Client} client
   * @param {number} patience ms for which an acknowledgement is waited for, beside what the way there takes
   * @param {number} pace of a slow line, in characters (of binary data: bytes) a second
   */
  constructor(client, patience, pace) {
    this.#client = client;
    this.#patience = patience;
    this.#pace = pace;
  }

  /**
   * @param {string} event
   * @param {unknown} data
   * @param {boolean} [keep] whether it is still of use when the connection is back
   * @returns {boolean} whether it went out or will
   */
  emit(event, data, keep = false) {
    if (this.#client.connected) this.#client.emit(event, data);
    else if (keep) this.#kept.push([event, data]);
    else return false;
    return true;
  }

  /** The server can take what was kept: it knows again whose connection this is. */
  flush() {
    if (!this.#client.connected) return;
    const events = this.#kept;
    this.#kept = [];
    for (const [event, data] of events) this.#client.emit(event, data);
  }

  /**
   * Emit now and wait for the server's acknowledgement.
   *
   * @param {string} event
   * @param {unknown} data
   * @returns {Promise<any>} the server's reply
   */
  request(event, data) {
    const client = this.#client;
    const patience = this.#patience + Math.ceil((1000 * sizeOf(data)) / this.#pace);
    return new Promise((resolve, reject) => {
      if (!client.connected) {
        reject(new PageError('socket-disconnected', `${event} could not be sent: no connection to the server`));
        return;
      }
      client.timeout(patience).emit(event, data, (error, value) => {
        if (error) reject(new PageError('socket-timeout', `${event} was not acknowledged within ${Math.round(patience / 1000)} s`));
        else resolve(value);
      });
    });
  }
}
