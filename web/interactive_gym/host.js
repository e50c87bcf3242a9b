// @ts-check
/**
 * The page's own socket.io connection, as a session needs it, and the storing of data by the page's events.
 *
 * What Python wants kept waits until the page is back and has said who it is: of what came before that, the page's
 * server would not know whose it was.
 */

import { seconds } from '../core/bridge.js';
import { PageError, guard } from '../core/errors.js';
import { Listeners } from '../core/listeners.js';
import { Outgoing, pauseAfter } from '../core/outgoing.js';
import { EVENTS, SERVER } from './handed.js';

/** @typedef {(event: string, listener: (...args: any[]) => void) => unknown} Listen */
/** @typedef {import('../core/outgoing.js').Client & {on: Listen, off: Listen}} Client */

export class Host {
  /** @type {[string, (...args: any[]) => void][]} */ #listening = [];
  /** @type {Listeners<[event: string, data: any, arrival: number]>} */ #heard = new Listeners();
  #out;
  /** Data that the server has not acknowledged. */
  unstored = 0;
  /** What is stored last. @type {Promise<unknown>} */ #line = Promise.resolve();

  /**
   * @param {Client} client the page's
   * @param {import('../core/errors.js').Report} report
   */
  constructor(client, report) {
    this.client = client;
    this.report = report;
    this.#out = new Outgoing(client, SERVER.acknowledged_within_ms, SERVER.characters_per_s);
    for (const event of EVENTS) this.on(event, (data) => this.#heard.tell(event, data ?? {}, seconds()));
    this.on('connect', () => window.setTimeout(guard(report, 'host.flush', () => this.#out.flush()), SERVER.registering_ms));
  }

  /** @param {string} event @param {(data: any) => unknown} listener */
  on(event, listener) {
    const guarded = guard(this.report, `host.${event}`, listener);
    this.#listening.push([event, guarded]);
    this.client.on(event, guarded);
  }

  /** @param {(event: string, data: any, arrival: number) => void} listener @returns {() => void} how to stop */
  onEvent(listener) {
    return this.#heard.add(listener);
  }

  get connected() {
    return this.client.connected;
  }

  /** The page measures the round trip to its server itself, s. */
  get rtt() {
    const ping = /** @type {any} */ (window).currentPing;
    return typeof ping === 'number' ? ping / 1000 : NaN;
  }

  /** @param {string} event @param {unknown} data @param {boolean} [keep] @returns {boolean} as `Outgoing.emit` */
  emit(event, data, keep) {
    return this.#out.emit(event, data, keep);
  }

  /**
   * Have the server store something, however long it takes; sending it again does no harm.
   *
   * One after the other: the time for an answer is that of one on the line, and inputs that go by the server wait behind
   * one at most.
   *
   * @param {string} event
   * @param {Record<string, unknown>} data
   */
  store(event, data) {
    this.unstored += 1;
    const stored = this.#line.then(() => this.#storeOne(event, data));
    this.#line = stored.catch(() => {});
    return stored;
  }

  /** @param {string} event @param {Record<string, unknown>} data */
  async #storeOne(event, data) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const reply = await this.#out.request(event, data);
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
