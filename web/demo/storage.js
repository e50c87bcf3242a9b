// @ts-check
/**
 * Keeps metrics and records until the server has acknowledged them.
 *
 * Every store is written to IndexedDB first and deleted when the server says that it has it. What could not be
 * sent is tried again after the pauses that Python has for it, when the connection returns, and at the next visit. The key is what
 * the server goes by too (event, game, player, episode, part or first frame), so sending twice does no harm and a later
 * version replaces an earlier one.
 *
 * Where the browser gives no database (some private modes), or one that never answers, the memory does; `durable` says
 * whether all of it would survive the page.
 */

import { guard, PageError } from '../core/errors.js';
import { pauseAfter } from '../core/outgoing.js';
import { packed } from '../core/packing.js';
import { keepParting } from '../core/seat.js';
import { STORE, committed, openDatabase, removeStored, within } from './database.js';
import { STORING } from './handed.js';

/**
 * @typedef {object} Item
 * @property {string} key
 * @property {string} event
 * @property {Record<string, any>} data
 * @property {number} created ms since the epoch
 */

/** What is not stored, and of that, why the server does not take it. @typedef {{pending: number, refused: string[]}} Kept */
/** @typedef {Kept & {stored: number}} State */
/** @typedef {(store: IDBObjectStore) => unknown} Change */

/** @param {string} event @param {Record<string, any>} data */
export function keyOf(event, data) {
  const { part = null, revision, first } = data;
  const piece = first === undefined ? [] : [revision, first];
  return JSON.stringify([event, data['game_id'], data['player_id'], data['episode'], part, ...piece]);
}

/** The lock that says to other windows of this browser that a game is played here. @param {unknown} game @param {unknown} player */
const lockOf = (game, player) => `pycore ${JSON.stringify([game, player])}`;

export class Outbox {
  /** @type {Map<string, Item>} */ #items = new Map();
  /** Why the server takes an item never, or has not taken it since `from` (ms of the page's clock) until `to`. @type {Map<string, {final: boolean, why: string, from: number, to: number}>} */
  #refusals = new Map();
  #stored = 0;
  #attempts = 0;
  #timer = 0;
  #running = false;
  #again = false;
  /** The lock of the game that is played here, and what ends it. */ #played = '';
  #letGo = () => {};
  /** What the database has for sure. @type {Set<string>} */ #written = new Set();
  /** The database has not answered in time: until it does, it is done without. */ #silent = false;
  /** Whether that was said. */ #said = false;
  /** What is to be done in it then, by key. @type {Map<string, Change>} */ #missed = new Map();
  /** Whether what is large has to wait, since it would go ahead of inputs. */ holds = () => false;
  /** Whether that may become so at any moment. */ plays = () => false;

  /**
   * @param {IDBDatabase | null} database
   * @param {(event: string, data: unknown) => Promise<any>} send resolves to the server's reply
   * @param {import('../core/errors.js').Report} report
   * @param {(state: State) => void} changed
   */
  constructor(database, send, report, changed) {
    this.database = database;
    this.send = send;
    this.report = report;
    this.changed = changed;
  }

  /**
   * @param {(event: string, data: unknown) => Promise<any>} send
   * @param {import('../core/errors.js').Report} report
   * @param {(state: State) => void} changed
   * @returns {Promise<Outbox>}
   */
  static async open(send, report, changed) {
    const opening = openDatabase();
    try {
      const [database, items] = await within(opening, STORING.database_within_ms);
      const outbox = new Outbox(database, send, report, changed);
      outbox.#find(items);
      return outbox;
    } catch (error) {
      report('storage.open', error);
      const outbox = new Outbox(null, send, report, changed);
      // It may be late only, as on a phone that is busy with Python.
      opening.then(([database, items]) => {
        outbox.database = database;
        outbox.#find(items);
        outbox.#answered().then(() => outbox.kick());
      }, () => {});
      return outbox;
    }
  }

  /** What an earlier visit has left. @param {Item[]} items */
  #find(items) {
    for (const item of items) {
      // What is here is newer.
      if (this.#items.has(item.key)) continue;
      this.#items.set(item.key, item);
      this.#written.add(item.key);
    }
  }

  /** Whether all that is kept survives the page. */
  get durable() {
    return [...this.#items.keys()].every((key) => this.#written.has(key));
  }

  /** @returns {State} */
  get state() {
    return { ...this.keptOf(() => true), stored: this.#stored };
  }

  /** The same of some. What the server does not take for a moment (`store_busy`) is on its way. @param {(data: Record<string, any>) => boolean} which @returns {Kept} */
  keptOf(which) {
    const items = [...this.#items.values()].filter(({ data }) => which(data));
    const refused = items.flatMap(({ key }) => {
      const found = this.#refusals.get(key);
      return found && (found.final || found.to - found.from >= STORING.passing_ms) ? [found.why] : [];
    });
    return { pending: items.length, refused };
  }

  /** A game is played here, or none is any more: another window leaves alone what is kept of it. @param {string | null} game @param {unknown} [player] */
  hold(game, player) {
    this.#letGo();
    this.#played = game === null ? '' : lockOf(game, player);
    if (game === null) return;
    const over = new Promise((resolve) => { this.#letGo = () => resolve(undefined); });
    // Not where the page came by plain http.
    navigator.locks?.request(this.#played, { mode: 'shared' }, () => over).catch((error) => this.report('storage.hold', error));
  }

  /** What would be lost with the page: neither has the server said that it has it, nor the browser. @returns {Item[]} */
  get unwritten() {
    return this.items.filter(({ key }) => !this.#written.has(key));
  }

  /** The page goes: what would be lost with it, its next load finds in the tab. A database breaks off what it writes then. */
  depart() {
    keepParting(this.unwritten.map(({ event, data }) => ({ event, data })));
  }

  /** What is not stored yet, oldest first: for the download. */
  get items() {
    return [...this.#items.values()].sort((a, b) => a.created - b.created);
  }

  /**
   * Keep it, then send it.
   *
   * @param {string} event
   * @param {Record<string, any>} data
   */
  async put(event, data) {
    const item = { key: keyOf(event, data), event, data, created: Date.now() };
    this.#items.set(item.key, item);
    this.#refusals.delete(item.key);
    this.#written.delete(item.key);
    this.changed(this.state);
    const written = await this.#write([[item.key, (store) => store.put(item)]]);
    if (written && this.#items.get(item.key) === item) this.#written.add(item.key);
    this.changed(this.state);
    this.kick();
  }

  /** Throw away what is kept of earlier games; nothing else does. What is played, here or in another window, stays. */
  async discard() {
    // Where a frame may not ask, nothing is held either.
    const { held = [] } = await navigator.locks?.query().catch(() => undefined) ?? {};
    const played = [this.#played, ...held.map(({ name }) => name)];
    const keys = this.items.filter(({ data }) => !played.includes(lockOf(data['game_id'], data['player_id']))).map(({ key }) => key);
    for (const key of keys) for (const of of [this.#items, this.#refusals, this.#written]) of.delete(key);
    await this.#write(keys.map((key) => [key, (store) => store.delete(key)]));
    this.changed(this.state);
  }

  /** Send now what is there: something new, or the connection is back. */
  kick() {
    window.clearTimeout(this.#timer);
    if (this.#running) {
      this.#again = true;
      return;
    }
    guard(this.report, 'storage.flush', () => this.#flush())();
  }

  async #flush() {
    this.#running = true;
    this.#again = false;
    let failed = false;
    try {
      for (const item of this.items) {
        if (this.#refusals.get(item.key)?.final) continue;
        const payload = await packed(item.data);
        // It was thrown away meanwhile.
        if (!this.#items.has(item.key)) continue;
        // The game's end, or its way back to peer-to-peer, is followed by another store, which asks again.
        const isPatient = STORING.patient.includes(item.event) && JSON.stringify(payload).length > STORING.large_characters;
        if (isPatient && this.holds()) continue;
        const outcome = isPatient && this.plays() && payload['packed'] ? await this.#sendInPieces(item, payload) : await this.#sendOne(item, payload);
        if (outcome === 'later' || outcome === 'unreachable') failed = true;
        // Without a connection the others fare no better.
        if (outcome === 'unreachable') break;
      }
    } finally {
      this.#running = false;
    }
    if (!failed) this.#attempts = 0;
    if (this.#again) this.kick();
    else if (failed) {
      this.#attempts += 1;
      this.#timer = window.setTimeout(() => this.kick(), pauseAfter(STORING.retries_ms, this.#attempts));
    }
  }

  /**
   * @param {Item} item
   * @param {Record<string, any>} payload as it goes out
   * @returns {Promise<'stored' | 'refused' | 'later' | 'unreachable'>}
   */
  async #sendOne(item, payload) {
    const outcome = await this.#ask(item, payload);
    if (outcome !== 'taken') return outcome;
    this.#refusals.delete(item.key);
    this.#stored += 1;
    // A newer version came while this one was on its way: that one stays.
    if (this.#items.get(item.key) === item) {
      this.#items.delete(item.key);
      this.#written.delete(item.key);
      const { key, created } = item;
      await this.#write([[key, (store) => removeStored(store, { key, created })]]);
    }
    this.changed(this.state);
    return 'stored';
  }

  /**
   * One piece after the other's acknowledgement, so that inputs wait behind one at most; the last one has it stored.
   *
   * @param {Item} item
   * @param {Record<string, any>} payload
   * @returns {Promise<'stored' | 'refused' | 'later' | 'unreachable' | 'held'>}
   */
  async #sendInPieces(item, payload) {
    const { packed: text } = payload;
    /** @param {number} at */
    const piece = (at) => ({ ...payload, packed: text.slice(at, at + STORING.large_characters), at, of: text.length });
    let at = 0;
    for (; at + STORING.large_characters < text.length; at += STORING.large_characters) {
      const outcome = await this.#ask(item, piece(at));
      if (outcome !== 'taken') return outcome;
      // As what is held from the beginning: it begins anew. So does a newer version, and what was thrown away is gone.
      if (this.holds() || this.#items.get(item.key) !== item) return 'held';
    }
    return this.#sendOne(item, piece(at));
  }

  /**
   * @param {Item} item
   * @param {Record<string, any>} payload
   * @returns {Promise<'taken' | 'refused' | 'later' | 'unreachable'>}
   */
  async #ask(item, payload) {
    let reply;
    try {
      reply = await this.send(item.event, payload);
    } catch (error) {
      if (!(error instanceof PageError)) this.report('storage.send', error);
      return 'unreachable';
    }
    if (reply?.status !== 'ok') {
      const code = String(reply?.code ?? 'store-refused');
      const why = `${item.event}: ${code}: ${reply?.message ?? JSON.stringify(reply)}`;
      const final = STORING.final.includes(code);
      const now = performance.now();
      this.#refusals.set(item.key, { final, why, from: this.#refusals.get(item.key)?.from ?? now, to: now });
      this.report('storage.refused', new PageError(code, why));
      this.changed(this.state);
      return final ? 'refused' : 'later';
    }
    return 'taken';
  }

  /** @param {[key: string, change: Change][]} changes @returns {Promise<boolean>} whether they are there now */
  async #write(changes) {
    if (this.database === null) return false;
    if (this.#silent) {
      for (const [key, change] of changes) this.#missed.set(key, change);
      return false;
    }
    /** @type {Promise<void> | null} */
    let writing = null;
    try {
      const transaction = this.database.transaction(STORE, 'readwrite');
      for (const [, change] of changes) change(transaction.objectStore(STORE));
      writing = committed(transaction);
      await within(writing, STORING.database_within_ms);
      return true;
    } catch (error) {
      if (!(error instanceof PageError && error.code === 'database-silent')) this.report('storage.write', error);
      else if (!this.#silent) {
        // Each would wait as long, with what was kept at parting one after the other; said once.
        this.#silent = true;
        if (!this.#said) this.report('storage.write', error);
        this.#said = true;
        writing?.catch(() => {}).then(() => this.#answered());
      }
      return false;
    }
  }

  /** The database answers after all: what came meanwhile is kept there, and what went meanwhile is not. */
  async #answered() {
    this.#silent = false;
    const items = this.unwritten;
    const missed = this.#missed;
    this.#missed = new Map();
    for (const item of items) missed.set(item.key, (store) => store.put(item));
    const written = await this.#write([...missed]);
    for (const item of items) if (written && this.#items.get(item.key) === item) this.#written.add(item.key);
    this.changed(this.state);
  }

  close() {
    window.clearTimeout(this.#timer);
    this.#letGo();
    this.database?.close();
  }
}
