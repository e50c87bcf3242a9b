// @ts-check
/**
 * The page's own socket.io connection, as a session needs it, and the storing of data by the page's events.
 *
 * Nothing is emitted while the connection is down: socket.io would send it before the page has said who it is, and
 * the page's server would not know whose it was. What must not be lost waits here until the page is back; inputs,
 * signals and reports of health do not wait, they would be old.
 */

import { seconds } from '../core/bridge.js';
import { PageError, guard } from '../core/errors.js';
import { acknowledged, retryDelay } from '../core/socket.js';

/** Events that are worthless when they come late. */
const PERISHABLE = ['pyodide_player_action', 'webrtc_signal', 'p2p_health_report'];
/** After a return of the connection the page registers its participant first, ms. */
const REGISTERING = 500;
const ACK_TIMEOUT = 5000;

/** @typedef {import('../core/socket.js').Client & {off(event: string, listener: (...args: any[]) => void): unknown}} Client */

export class Host {
  /** @type {[string, (...args: any[]) => void][]} */ #listening = [];
  /** @type {[string, unknown][]} */ #waiting = [];
  /** @type {((event: string, data: any, arrival: number) => void)[]} */ #listeners = [];
  /** Data that the server has not acknowledged. */
  unstored = 0;

  /**
   * @param {Client} client the page's
   * @param {string[]} events that are handed on
   * @param {import('../core/errors.js').Report} report
   */
  constructor(client, events, report) {
    this.client = client;
    this.report = report;
    for (const event of events) {
      this.on(event, (data) => {
        const arrival = seconds();
        for (const listener of [...this.#listeners]) listener(event, data ?? {}, arrival);
      });
    }
    this.on('connect', () => window.setTimeout(guard(report, 'host.flush', () => this.#flush()), REGISTERING));
  }

  /** @param {string} event @param {(data: any) => unknown} listener */
  on(event, listener) {
    const guarded = guard(this.report, `host.${event}`, listener);
    this.#listening.push([event, guarded]);
    this.client.on(event, guarded);
  }

  /** @param {(event: string, data: any, arrival: number) => void} listener @returns {() => void} how to stop */
  onEvent(listener) {
    this.#listeners.push(listener);
    return () => void this.#listeners.splice(this.#listeners.indexOf(listener), 1);
  }

  get connected() {
    return this.client.connected;
  }

  /** The page measures the round trip to its server itself, s. */
  get rtt() {
    const ping = /** @type {any} */ (window).currentPing;
    return typeof ping === 'number' ? ping / 1000 : NaN;
  }

  /** @param {string} event @param {unknown} data @returns {boolean} whether it went out or will */
  emit(event, data) {
    if (this.client.connected) {
      this.client.emit(event, data);
      return true;
    }
    if (PERISHABLE.includes(event)) return false;
    this.#waiting.push([event, data]);
    return true;
  }

  #flush() {
    if (!this.client.connected) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [event, data] of waiting) this.client.emit(event, data);
  }

  /** @param {string} event @param {unknown} data @returns {Promise<any>} the server's acknowledgement */
  request(event, data) {
    return acknowledged(this.client, event, data, ACK_TIMEOUT);
  }

  /**
   * Have the server store something, however long it takes; sending it again does no harm.
   *
   * @param {string} event
   * @param {Record<string, unknown>} data
   */
  async store(event, data) {
    this.unstored += 1;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const reply = await this.request(event, data);
        if (reply?.status !== 'ok') throw new PageError('not-stored', `${event} was answered ${JSON.stringify(reply)}`);
        this.unstored -= 1;
        return;
      } catch (error) {
        this.report(`host.store ${event}`, error);
      }
      await new Promise((resolve) => void window.setTimeout(resolve, retryDelay(attempt)));
    }
  }

  /** Stop listening to the page's connection. */
  close() {
    for (const [event, listener] of this.#listening) this.client.off(event, listener);
    this.#listening = [];
  }
}
