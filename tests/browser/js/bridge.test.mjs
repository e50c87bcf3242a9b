/** The framing of inbox and outbox: order, completeness, and buffers that move under our feet. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Inbox, SharedBuffer, readOutbox, encodeAction, DATAGRAM, EVENT, NO_LINK } from '../../../web/core/bridge.js';

/** A buffer as Python would share it. */
function buffer(size) {
  const bytes = new Uint8Array(size);
  return { bytes, words: new DataView(bytes.buffer) };
}

/** What Python reads from an inbox of `length` bytes. */
function parse({ bytes, words }, links, length) {
  const records = [];
  let at = 4 + 8 * links;
  while (at < length) {
    const size = words.getUint16(at + 2, true);
    records.push({
      kind: words.getUint8(at), link: words.getUint8(at + 1), time: words.getFloat64(at + 4, true),
      payload: [...bytes.subarray(at + 12, at + 12 + size)],
    });
    at += 12 + size;
  }
  assert.equal(at, length);
  return records;
}

test('the header has the socket, the page and every channel state', () => {
  const shared = buffer(64);
  const inbox = new Inbox(shared, 3);
  const length = inbox.seal(true, true, (link) => [-3, 70_000, -1][link], 0, (link) => [-2, 16_384, -1][link]);
  assert.equal(length, 28);
  assert.deepEqual([...shared.bytes.subarray(0, 4)], [1, 1, 0, 0]);
  assert.deepEqual([0, 1, 2].map((link) => shared.words.getInt32(4 + 8 * link, true)), [-3, 70_000, -1]);
  assert.deepEqual([0, 1, 2].map((link) => shared.words.getInt32(8 + 8 * link, true)), [-2, 16_384, -1]);
});

test('records arrive byte for byte, in order, each exactly once, also when the buffer is too small for all', () => {
  const shared = buffer(100);
  const inbox = new Inbox(shared, 1);
  const sent = [];
  const received = [];
  let n = 0;
  for (let round = 0; round < 40; round += 1) {
    for (let i = 0; i < (round < 20 ? (round * 7) % 5 : 0); i += 1) {
      n += 1;
      const record = { kind: n % 3 === 0 ? EVENT : DATAGRAM, link: n % 2 ? 0 : NO_LINK, time: n / 8, payload: Array(n % 30).fill(n & 255) };
      sent.push(record);
      inbox.put(record.kind, record.link, record.time, Uint8Array.from(record.payload));
    }
    received.push(...parse(shared, 1, inbox.seal(true, false, () => 0)));
    inbox.consumed();
  }
  assert.ok(sent.length > 30);
  assert.deepEqual(received, sent);
  assert.equal(inbox.waiting, 0);
});

test('a record that can never fit is refused by name and moves nothing', () => {
  const shared = buffer(64);
  const inbox = new Inbox(shared, 1);
  assert.throws(() => inbox.put(DATAGRAM, 0, 0, new Uint8Array(60)), { code: 'inbox-record-too-large' });
  assert.equal(inbox.seal(true, false, () => 0), 12);
});

test('a flood of datagrams is bounded and counted, events are never dropped', () => {
  const shared = buffer(64);
  const inbox = new Inbox(shared, 1);
  for (let i = 0; i < 5000; i += 1) inbox.put(DATAGRAM, 0, i, new Uint8Array(20));
  inbox.put(EVENT, NO_LINK, 5000, new Uint8Array([9]));
  assert.equal(inbox.waiting + inbox.dropped, 5000);
  assert.ok(inbox.dropped > 2000);
  let last = [];
  for (let i = 0; i < 5000 && (inbox.waiting > 0 || i === 0); i += 1) {
    inbox.consumed();
    last = parse(shared, 1, inbox.seal(true, false, () => 0));
  }
  assert.deepEqual(last.at(-1), { kind: EVENT, link: NO_LINK, time: 5000, payload: [9] });
});

test('a view that died with the growth of the memory is taken anew and the old one is released', () => {
  let released = 0;
  let memory = new ArrayBuffer(32);
  const proxy = {
    getBuffer: () => ({ data: new Uint8Array(memory, 8, 16), release: () => { released += 1; } }),
    destroy() {},
  };
  const shared = new SharedBuffer(proxy);
  shared.bytes[0] = 7;
  const grown = memory.transfer ? memory.transfer(64) : structuredClone(memory, { transfer: [memory] });
  memory = grown;
  assert.equal(shared.bytes.byteLength, 16);
  assert.equal(shared.words.getUint8(0), 7);
  assert.equal(released, 1);
});

/** An outbox as Python writes it. */
function outbox(records) {
  const shared = buffer(256);
  let at = 16;
  for (const [kind, link, seq, payload] of records) {
    shared.words.setUint8(at, kind);
    shared.words.setUint8(at + 1, link);
    shared.words.setUint16(at + 2, payload.length, true);
    shared.words.setUint32(at + 4, seq, true);
    shared.bytes.set(payload, at + 8);
    at += 8 + payload.length;
  }
  return { shared, length: at };
}

test('the outbox is read record by record up to its length', () => {
  const records = [[1, 0, 4_000_000_000, [1, 2, 3]], [4, 255, 1, []], [3, 2, 2, [255]]];
  const { shared, length } = outbox(records);
  const read = [];
  readOutbox(shared, length, (kind, link, seq, payload) => read.push([kind, link, seq, [...payload]]));
  assert.deepEqual(read, records);
  read.length = 0;
  readOutbox(shared, 16, () => read.push('no record'));
  assert.deepEqual(read, []);
});

test('an outbox that is cut short is refused, whatever the place of the cut', () => {
  const { shared, length } = outbox([[1, 0, 1, [1, 2, 3, 4, 5]]]);
  for (let cut = 17; cut < length; cut += 1) {
    assert.throws(() => readOutbox(shared, cut, () => assert.fail('nothing may be taken')), { code: 'outbox-framing' });
  }
});

test('integers cross the bridge as they are, everything else as JSON', () => {
  assert.equal(encodeAction(3), 3);
  assert.equal(encodeAction(-1), -1);
  assert.equal(encodeAction(0.5), '0.5');
  assert.equal(encodeAction('left'), '"left"');
  assert.equal(encodeAction(null), 'null');
  assert.equal(encodeAction(undefined), '', 'none: the core plays the default action');
  assert.equal(encodeAction([1, { a: 2 }]), '[1,{"a":2}]');
});
