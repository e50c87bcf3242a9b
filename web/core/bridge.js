// @ts-check
/**
 * The way into Python and out of it: two calls per tick and two shared buffers.
 *
 * `poll` takes in what arrived (the inbox) and answers with what must be sent (the outbox); `advance`
 * rolls back, re-simulates and steps. Both buffers are Python bytearrays seen as `Uint8Array`; nothing is
 * converted per tick and no proxy is left behind. Layout, all little-endian:
 *
 *     inbox   0 u8 socket.io connected | 1 u8 page flags (1 = hidden)
 *             2 u16 what the tick before took, in tenths of a millisecond; 0: not known
 *             4 + 8·link  i32 channel state (channel.js)
 *             8 + 8·link  i32 the same of the stream's channel
 *             then records: u8 kind | u8 link (255 = none) | u16 length | f64 arrival in s | payload
 *     outbox  0 f64 tick period in s | 8 i32 frame | 12 i32 phase
 *             16 then records: u8 kind | u8 link | u16 length | u32 seq | payload
 *
 * Invariants:
 * - records reach Python in the order of their arrival, each exactly once, also when they do not all fit;
 * - a view is used only after its `byteLength` was looked at: it becomes 0 when the wasm memory grows;
 * - nothing here calls Python while the outbox is being read, since that would write into it.
 */

import { PageError } from './errors.js';
import { INBOX } from './handed.js';

/** @typedef {{data: Uint8Array, release(): void}} BufferView what `PyProxy.getBuffer('u8')` returns */
/** @typedef {{getBuffer(type: 'u8'): BufferView, destroy(): void}} ByteArrayProxy */
/** @typedef {{(...args: unknown[]): any, destroy?: () => void}} Callable */

export const DATAGRAM = 1;
export const CHUNK = 2;
export const EVENT = 3;
export const OUT_DATAGRAM = 1;
export const OUT_EMIT = 2;
export const OUT_RTC = 3;
export const OUT_NEWS = 4;
export const OUT_CHUNK = 5;

export const NO_LINK = 255;

export const STEPPED = 1;
export const RESIMULATED = 2;
export const OUTBOX_FILLED = 16;
export const SESSION_OVER = 32;

/** The phases of the session as the outbox header has them. */
export const PHASES = Object.freeze(
  /** @type {const} */ (['connecting', 'readying', 'playing', 'holding', 'between', 'done', 'failed']),
);
/** @typedef {(typeof PHASES)[number]} Phase */

const RECORD_IN = 12;
const RECORD_OUT = 8;
const OUTBOX_HEADER = 16;

/** Seconds on the page's monotonic clock: the `now` of every call into Python. */
export function seconds() {
  return performance.now() / 1000;
}

/** One Python bytearray as bytes, valid at every access. */
export class SharedBuffer {
  /** @type {BufferView | null} */ #view = null;
  /** @type {DataView} */ #words = new DataView(new ArrayBuffer(0));

  /** @param {ByteArrayProxy} proxy owned from here on */
  constructor(proxy) {
    this.proxy = proxy;
  }

  /** @returns {Uint8Array} */
  get bytes() {
    if (this.#view === null || this.#view.data.byteLength === 0) {
      this.#view?.release();
      this.#view = this.proxy.getBuffer('u8');
      const { buffer, byteOffset, byteLength } = this.#view.data;
      this.#words = new DataView(buffer, byteOffset, byteLength);
    }
    return this.#view.data;
  }

  /** The same bytes for reading and writing numbers; look at `bytes` first. */
  get words() {
    return this.bytes && this.#words;
  }

  release() {
    this.#view?.release();
    this.#view = null;
    this.proxy.destroy();
  }
}

/** Collects what arrives between two polls, straight into the shared buffer. */
export class Inbox {
  /** @type {{kind: number, link: number, time: number, payload: Uint8Array}[]} */ #backlog = [];
  #datagramsWaiting = 0;
  #end;

  /** Datagrams that were too old to keep: counted, since nothing is dropped silently. */
  dropped = 0;

  /**
   * @param {{bytes: Uint8Array, words: DataView}} buffer
   * @param {number} links number of remote seats
   */
  constructor(buffer, links) {
    this.buffer = buffer;
    this.links = links;
    this.start = 4 + 8 * links;
    this.#end = this.start;
  }

  /** Records that wait for the next poll because the buffer was full. */
  get waiting() {
    return this.#backlog.length;
  }

  /**
   * @param {number} kind
   * @param {number} link
   * @param {number} time arrival, `seconds()`
   * @param {Uint8Array} payload copied now, unless it has to wait
   */
  put(kind, link, time, payload) {
    const size = RECORD_IN + payload.byteLength;
    const capacity = this.buffer.bytes.byteLength;
    if (payload.byteLength > 0xffff || this.start + size > capacity) {
      throw new PageError('inbox-record-too-large',
        `a record of ${payload.byteLength} bytes does not fit the inbox (65,535 and ${capacity} bytes at most)`);
    }
    if (this.#backlog.length === 0 && this.#end + size <= capacity) {
      this.#write(kind, link, time, payload);
      return;
    }
    if (kind === DATAGRAM) {
      if (this.#datagramsWaiting >= INBOX.datagrams_waiting) {
        this.dropped += 1;
        return;
      }
      this.#datagramsWaiting += 1;
    }
    this.#backlog.push({ kind, link, time, payload });
  }

  /**
   * Write the header.
   *
   * @param {boolean} connected socket.io
   * @param {boolean} hidden
   * @param {(link: number) => number} channelState
   * @param {number} [worked] what the tick before took, s
   * @param {(link: number) => number} [streamState]
   * @returns {number} bytes used
   */
  seal(connected, hidden, channelState, worked = 0, streamState = () => -1) {
    const words = this.buffer.words;
    words.setUint8(0, connected ? 1 : 0);
    words.setUint8(1, hidden ? 1 : 0);
    words.setUint16(2, Math.min(0xffff, Math.round(worked * 10_000)), true);
    for (let link = 0; link < this.links; link += 1) {
      words.setInt32(4 + 8 * link, channelState(link), true);
      words.setInt32(8 + 8 * link, streamState(link), true);
    }
    return this.#end;
  }

  /** After a poll: the buffer is free again, and what waited moves in. */
  consumed() {
    this.#end = this.start;
    let moved = 0;
    for (const { kind, link, time, payload } of this.#backlog) {
      if (this.#end + RECORD_IN + payload.byteLength > this.buffer.bytes.byteLength) break;
      this.#write(kind, link, time, payload);
      if (kind === DATAGRAM) this.#datagramsWaiting -= 1;
      moved += 1;
    }
    if (moved > 0) this.#backlog.splice(0, moved);
  }

  /** @param {number} kind @param {number} link @param {number} time @param {Uint8Array} payload */
  #write(kind, link, time, payload) {
    const at = this.#end;
    const words = this.buffer.words;
    words.setUint8(at, kind);
    words.setUint8(at + 1, link);
    words.setUint16(at + 2, payload.byteLength, true);
    words.setFloat64(at + 4, time, true);
    this.buffer.bytes.set(payload, at + RECORD_IN);
    this.#end = at + RECORD_IN + payload.byteLength;
  }
}

/**
 * Go through the records of an outbox. The payload is a view: whoever keeps it copies it.
 *
 * @param {{bytes: Uint8Array, words: DataView}} buffer
 * @param {number} length bytes used, header included
 * @param {(kind: number, link: number, seq: number, payload: Uint8Array) => void} take
 */
export function readOutbox(buffer, length, take) {
  const bytes = buffer.bytes;
  const words = buffer.words;
  let at = OUTBOX_HEADER;
  while (at < length) {
    const size = at + RECORD_OUT <= length ? words.getUint16(at + 2, true) : 0;
    const next = at + RECORD_OUT + size;
    if (next > length) {
      throw new PageError('outbox-framing', `a record at byte ${at} reaches beyond the outbox's ${length} bytes`);
    }
    take(bytes[at] ?? 0, bytes[at + 1] ?? 0, words.getUint32(at + 4, true), bytes.subarray(at + RECORD_OUT, next));
    at = next;
  }
}

/**
 * As JSON; a whole number of 64 bits, as ONNX counts, is a number like others.
 *
 * @param {unknown} value
 * @returns {string | undefined}
 * @throws {TypeError} of what JSON cannot say
 */
export function toJson(value) {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(value, (_, part) => (typeof part === 'bigint' && Number.isSafeInteger(Number(part)) ? Number(part) : part));
  }
}

/**
 * An action as it crosses the bridge: an integer as it is, everything else as JSON text; of undefined the text is
 * empty, and the core plays the default action of the seat.
 *
 * A JavaScript number does not say whether it is meant as int or float, and objects would become proxies.
 *
 * @param {unknown} action
 * @returns {number | string}
 * @throws {TypeError} of what JSON cannot say
 */
export function encodeAction(action) {
  return typeof action === 'number' && Number.isSafeInteger(action) ? action : toJson(action) ?? '';
}

/** The session in Python, with every method looked up once: those of the bridge, and those of its view. */
/** A copy of the bytes behind a proxy, which ends with it. @param {any} proxy @returns {Uint8Array} */
export function bytesOf(proxy) {
  const view = proxy.getBuffer('u8');
  try {
    return view.data.slice();
  } finally {
    view.release();
    proxy.destroy();
  }
}

export class Bridge {
  /** @type {Record<string, Callable>} */ #methods = {};
  /** @type {Record<string, Callable>} */ #readers = {};
  #closed = false;

  /**
   * @param {any} proxy of `pycore.bridge.Bridge`; owned from here on
   * @param {number} links
   */
  constructor(proxy, links) {
    this.proxy = proxy;
    this.outbox = new SharedBuffer(proxy.outbox);
    this.inboxBuffer = new SharedBuffer(proxy.inbox);
    this.inbox = new Inbox(this.inboxBuffer, links);
    this.view = proxy.view;
    for (const name of ['poll', 'advance', 'send_failed', 'outbox_length']) this.#method(name);
  }

  /** @param {string} name @returns {Callable} */
  #method(name) {
    if (this.#closed) throw new PageError('bridge-closed', `${name}() was called after the session was closed`);
    return (this.#methods[name] ??= this.proxy[name]);
  }

  /** @param {number} now @param {number | string} action @param {number} length @returns {number} bytes in the outbox */
  poll(now, action, length) {
    return this.#method('poll')(now, action, length);
  }

  /** @param {number} now @returns {number} flags */
  advance(now) {
    return this.#method('advance')(now);
  }

  /** @param {number} now @param {number} link @param {number} seq @returns {number} bytes in the outbox */
  sendFailed(now, link, seq) {
    return this.#method('send_failed')(now, link, seq);
  }

  /** @returns {number} */
  outboxLength() {
    return this.#method('outbox_length')();
  }

  /**
   * Call a method that is not part of the tick.
   *
   * @param {string} name
   * @param {...(string | number)} args
   * @returns {any} a string, a number or nothing: the bridge returns no proxies
   */
  call(name, ...args) {
    return this.#method(name)(...args);
  }

  /**
   * Read what the session shows or stores; that moves nothing.
   *
   * @param {string} name of the view
   * @param {...(string | number)} args
   * @returns {any} a string, or bytes that the caller destroys
   */
  read(name, ...args) {
    if (this.#closed) throw new PageError('bridge-closed', `${name}() was called after the session was closed`);
    return (this.#readers[name] ??= this.view[name])(...args);
  }

  /**
   * Read bytes; a copy.
   *
   * @param {string} name of the view
   * @param {...(string | number)} args
   * @returns {Uint8Array}
   */
  readBytes(name, ...args) {
    return bytesOf(this.read(name, ...args));
  }

  get period() {
    return this.outbox.words.getFloat64(0, true);
  }

  get frame() {
    return this.outbox.words.getInt32(8, true);
  }

  /** @returns {Phase} */
  get phase() {
    return PHASES[this.outbox.words.getInt32(12, true)] ?? 'failed';
  }

  get closed() {
    return this.#closed;
  }

  /** Give everything back to Python. Idempotent. */
  close() {
    if (this.#closed) return;
    try {
      this.call('close');
    } finally {
      this.#closed = true;
      this.inboxBuffer.release();
      this.outbox.release();
      // The methods are borrowed from the proxy and end with it.
      this.#methods = this.#readers = {};
      this.view.destroy();
      this.proxy.destroy();
    }
  }
}
