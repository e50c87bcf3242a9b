// @ts-check
/**
 * The page's own socket.io connection, as a session needs it, and the storing of data by the page's events.
 *
 * Nothing is emitted while the connection is down: socket.io would send it before the page has said who it is, and
 * the page's server would not know whose it was. What Python wants kept waits here until the page is back.
 */

import { seconds } from '../core/bridge.js';
import { PageError, guard } from '../core/errors.js';
import { Kept, acknowledged, pauseAfter } from '../core/socket.js';
import { EVENTS, SERVER } from './handed.js';

/** @typedef {import('../core/socket.js').Client & {off(event: string, listener: (...args: any[]) => void): unknown}} Client */

export class Host {
  /** @type {[string, (...args: any[]) => void][]} */ #listening = [];
  #kept = new Kept();
  /** @type {((event: string, data: any, arrival: number) => void)[]} */ #listeners = [];
  /** Data that the server has not acknowledged. */
  unstored = 0;

  /**
   * @param {Client} client the page's
   * @param {import('../core/errors.js').Report} report
   */
  constructor(client, report) {
    this.client = client;
    this.report = report;
    for (const event of EVENTS) {
      this.on(event, (data) => {
        const arrival = seconds();
        for (const listener of [...this.#listeners]) listener(event, data ?? {}, arrival);
      });
    }
    this.on('connect', () => window.setTimeout(guard(report, 'host.flush', () => this.#kept.flush(client)), SERVER.registering_ms));
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

  /** @param {string} event @param {unknown} data @returns {Promise<any>} the server's acknowledgement */
  request(event, data) {
    return acknowledged(this.client, event, data, SERVER.acknowledged_within_ms);
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
      await new Promise((resolve) => void window.setTimeout(resolve, pauseAfter(SERVER.retries_ms, attempt)));
    }
  }

  /** Stop listening to the page's connection. */
  close() {
    for (const [event, listener] of this.#listening) this.client.off(event, listener);
    this.#listening = [];
  }
}
