/** What is kept, retried and deleted; the database itself is tested in the browser. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Outbox, keyOf } from '../../../web/demo/storage.js';
import { STORING } from '../../../web/demo/handed.js';
import { pauseAfter } from '../../../web/core/outgoing.js';
import { PageError } from '../../../web/core/errors.js';

test('attempts are 1, 2, 4, 8, 16 and then 30 seconds apart', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 50].map((n) => pauseAfter(STORING.retries_ms, n)), [1, 2, 4, 8, 16, 30, 30, 30].map((s) => s * 1000));
});

test('the key is what the server goes by, and numbers are not the same as their text', () => {
  const item = { game_id: 'g', player_id: 0, episode: 1, part: 2, data: 'x' };
  assert.equal(keyOf('e', item), keyOf('e', { ...item, data: 'y', session_id: 's' }));
  for (const other of [{ game_id: 'h' }, { player_id: '0' }, { episode: 2 }, { part: 3 }]) {
    assert.notEqual(keyOf('e', item), keyOf('e', { ...item, ...other }));
  }
  const piece = { game_id: 'g', player_id: 0, episode: 1, revision: 0, first: 150, frames: 30, data: 'x' };
  assert.equal(keyOf('e', piece), keyOf('e', { ...piece, frames: 60, data: 'y' }));
  for (const other of [{ first: 180 }, { revision: 1 }, { episode: 2 }]) {
    assert.notEqual(keyOf('e', piece), keyOf('e', { ...piece, ...other }));
  }
});

const item = (episode) => ({ game_id: 'g', player_id: 0, episode });

/** An outbox without a database, a server whose answers are `answers`, and timers run by hand. */
function outbox(answers) {
  const timers = [];
  globalThis.window = { setTimeout: (f, ms) => timers.push({ f, ms }), clearTimeout: () => {} };
  const sent = [];
  const reports = [];
  const made = new Outbox(null, async (event, data) => {
    sent.push(data.episode);
    const answer = answers.length > 0 ? answers.shift() : { status: 'ok' };
    if (answer instanceof Error) throw answer;
    return answer;
  }, (where, error) => reports.push([where, error.code]), () => {});
  return { made, sent, timers, reports };
}

/** Let everything that was promised happen. */
const settled = () => new Promise((resolve) => { setImmediate(resolve); });

test('what is acknowledged is gone, and nothing is left to do', async () => {
  const { made, sent, timers } = outbox([]);
  await made.put('e', item(0));
  await made.put('e', item(1));
  await settled();
  assert.deepEqual(made.state, { pending: 0, stored: 2, refused: [] });
  assert.deepEqual([...new Set(sent)], [0, 1]);
  assert.equal(timers.length, 0);
});

test('without a connection it stays and is tried again, later each time, until it is stored', async () => {
  const down = new PageError('socket-disconnected', 'no connection');
  const { made, timers } = outbox([down, down, down]);
  await made.put('e', item(0));
  await settled();
  for (const expected of [1000, 2000, 4000]) {
    assert.equal(made.state.pending, 1);
    const { f, ms } = timers.pop();
    assert.equal(ms, expected);
    f();
    await settled();
  }
  assert.equal(made.state.pending, 0);
});

test('a final refusal is reported once, kept, not repeated, and holds up nothing else', async () => {
  const { made, sent, timers, reports } = outbox([{ status: 'error', code: 'foreign_room', message: 'no' }]);
  await made.put('e', item(0));
  await settled();
  await made.put('e', item(1));
  await settled();
  assert.deepEqual(sent, [0, 1]);
  assert.deepEqual(made.items.map(({ data }) => data.episode), [0]);
  assert.equal(made.state.refused.length, 1);
  assert.deepEqual(reports, [['storage.refused', 'foreign_room']]);
  assert.equal(timers.length, 0);
});

test('a server that is busy is asked again', async () => {
  const { made, timers } = outbox([{ status: 'error', code: 'store_busy', message: 'later' }]);
  await made.put('e', item(0));
  await settled();
  assert.equal(made.state.pending, 1);
  timers.pop().f();
  await settled();
  assert.deepEqual(made.state, { pending: 0, stored: 1, refused: [] });
});

test('what the server does not take for a moment is on its way, and is called refused when that lasts', async (t) => {
  let now = 5000;
  t.mock.method(performance, 'now', () => now);
  // A clock that is set says nothing of how long it is.
  t.mock.method(Date, 'now', () => 1e12 + 3_600_000 * now);
  const busy = { status: 'error', code: 'store_busy', message: 'later' };
  const { made, timers } = outbox(Array.from({ length: 12 }, () => busy));
  await made.put('e', item(0));
  await settled();
  const passed = [];
  for (let waited = 0; waited < STORING.passing_ms;) {
    assert.deepEqual(made.state.refused, [], `after ${waited} ms`);
    const { f, ms } = timers.pop();
    now += ms;
    f();
    await settled();
    waited += ms;
    passed.push(ms);
  }
  assert.ok(passed.length > 3);
  assert.deepEqual(made.state.refused, ['e: store_busy: later']);
});

test('what the server takes no more of one game is told of that game alone', async () => {
  const { made } = outbox([{ status: 'error', code: 'foreign_room', message: 'no' }, new PageError('socket-disconnected', 'no connection')]);
  await made.put('e', item(0));
  await made.put('e', { ...item(1), game_id: 'now' });
  await settled();
  const of = (game) => { const { pending, refused } = made.keptOf((data) => data.game_id === game); return [pending, refused.length]; };
  assert.deepEqual([of('g'), of('now'), of('none')], [[1, 1], [1, 0], [0, 0]]);
});

/** The locks of a browser: who holds one, and what ends it. */
function locks(others = []) {
  const held = new Map(others.map((name) => [name, 1]));
  const value = { locks: {
    query: async () => ({ held: [...held.keys()].map((name) => ({ name })) }),
    request: async (name, _options, hold) => { held.set(name, 1); await hold(); held.delete(name); },
  } };
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
  return held;
}

test('what is deleted is of earlier games: what is played here, and in another window, stays', async () => {
  const held = locks(['pycore ["other",1]']);
  const { made } = outbox(Array.from({ length: 9 }, () => new PageError('socket-disconnected', 'no connection')));
  const written = [];
  made.database = { transaction: () => {
    const transaction = { objectStore: () => ({ get: () => ({}), put: ({ key }) => written.push(`+${JSON.parse(key)[1]}`), delete: (key) => written.push(`-${JSON.parse(key)[1]}`) }) };
    setImmediate(() => transaction.oncomplete());
    return transaction;
  } };
  made.hold('now', 0);
  for (const [game_id, player_id] of [['before', 0], ['other', 0], ['other', 1], ['now', 0]]) await made.put('e', { game_id, player_id, episode: 0 });
  await made.discard();
  const left = () => made.items.map(({ data }) => `${data.game_id} ${data.player_id}`);
  assert.deepEqual(left(), ['other 1', 'now 0']);
  assert.deepEqual(written.filter((each) => each.startsWith('-')), ['-before', '-other']);
  held.clear();
  made.hold(null);
  await made.discard();
  assert.deepEqual(left(), []);
});

test('without locks, as by plain http, what is played here is not deleted', async () => {
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  const { made } = outbox([new PageError('socket-disconnected', 'no connection')]);
  made.hold('g', 0);
  await made.put('e', item(0));
  await made.discard();
  assert.equal(made.state.pending, 1);
});

test('what is deleted while it is being sent goes out no more', async () => {
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  const { made } = outbox(Array.from({ length: 9 }, () => new PageError('socket-disconnected', 'no connection')));
  for (const episode of [0, 1, 2]) await made.put('e', item(episode));
  await settled();
  const sent = [];
  let answer;
  made.send = (_event, data) => { sent.push(data.episode); return new Promise((resolve) => { answer = () => resolve({ status: 'ok' }); }); };
  made.kick();
  await settled();
  await made.discard();
  answer();
  await settled();
  assert.deepEqual([sent, made.state.pending], [[0], 0]);
});

test('metrics that are large wait while inputs go by the server, records do not, and nothing waits behind them', async () => {
  const { made, sent } = outbox([]);
  let byServer = true;
  made.holds = () => byServer;
  // As random as data are that cannot be packed.
  const large = Array.from({ length: 20_000 }, (_, index) => Math.sin(index) * 1e6 | 0).join();
  await made.put('p2p_session_metrics', { ...item(7), metrics: { large } });
  await made.put('p2p_session_metrics', { ...item(8), metrics: {} });
  await made.put('pycore_rows', { ...item(9), data: large });
  await settled();
  for (let turn = 0; turn < 5000 && sent.length < 2; turn += 1) await new Promise((resolve) => { setTimeout(resolve, 2); });
  assert.deepEqual(sent, [8, 9]);
  assert.equal(made.state.pending, 1);
  byServer = false;
  made.kick();
  for (let turn = 0; turn < 5000 && sent.length < 3; turn += 1) await new Promise((resolve) => { setTimeout(resolve, 2); });
  assert.deepEqual(sent, [8, 9, 7]);
});

test('metrics of a running game go in pieces, and no piece when inputs go by the server meanwhile', async () => {
  const { made } = outbox([]);
  let byServer = false;
  const pieces = [];
  const waiting = [];
  made.holds = () => byServer;
  made.plays = () => true;
  made.send = async (_event, data) => {
    pieces.push(data);
    await new Promise((resolve) => waiting.push(resolve));
    return { status: 'ok' };
  };
  const sent = async (count) => { for (let turn = 0; turn < 5000 && pieces.length < count; turn += 1) await new Promise((resolve) => { setTimeout(resolve, 2); }); };
  const large = Array.from({ length: 20_000 }, (_, index) => Math.sin(index) * 1e6 | 0).join();
  await made.put('p2p_session_metrics', { ...item(7), metrics: { large } });
  await sent(1);
  assert.equal(pieces.length, 1, 'the next one waits for its acknowledgement');
  byServer = true;
  waiting.shift()();
  for (let turn = 0; turn < 20; turn += 1) await settled();
  assert.deepEqual([pieces.length, made.state.pending], [1, 1], 'inputs go first');
  byServer = false;
  made.kick();
  const { of } = pieces[0];
  const count = Math.ceil(of / STORING.large_characters);
  for (let next = 0; next < count; next += 1) {
    await sent(2 + next);
    waiting.shift()();
  }
  for (let turn = 0; turn < 20; turn += 1) await settled();
  const [, ...whole] = pieces;
  assert.ok(count > 3 && whole.length === count);
  assert.deepEqual(whole.map(({ at }) => at), whole.map((_, index) => index * STORING.large_characters), 'from its beginning');
  const text = whole.map((piece) => piece.packed).join('');
  const unpacked = new Blob([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))]).stream().pipeThrough(new DecompressionStream('deflate'));
  assert.deepEqual(JSON.parse(await new Response(unpacked).text()), { large });
  assert.deepEqual(made.state, { pending: 0, stored: 1, refused: [] });
});

/** A browser's database by hand: each transaction is complete, is broken off, or never answers. */
function browserDatabase(answers) {
  const store = { put: () => ({}), get: () => ({}), delete: () => ({}), clear: () => ({}), getAll: () => answered({}, 'success', []) };
  const answered = (request, how, result) => {
    request.result = result;
    if (how !== 'never') setImmediate(() => request[`on${how}`]?.());
    return request;
  };
  const database = {
    transaction: () => {
      const how = answers.writes[0];
      if (answers.writes.length > 1) answers.writes.shift();
      return answered({ objectStore: () => store, error: new Error('the disk is full') }, how, undefined);
    },
    close() {},
  };
  globalThis.indexedDB = { open: () => answered({}, answers.open, database) };
}

/** An outbox with that database; timers run at once when they are asked for. */
async function opened(answers) {
  browserDatabase(answers);
  const waiting = new Set();
  globalThis.window = {
    setTimeout: (f, ms) => { const timer = { f, ms }; waiting.add(timer); return timer; },
    clearTimeout: (timer) => waiting.delete(timer),
  };
  const late = () => { for (const timer of [...waiting]) { waiting.delete(timer); if (timer.ms === STORING.database_within_ms) timer.f(); } };
  const reports = [];
  const states = [];
  const opening = Outbox.open(async () => { throw new PageError('socket-disconnected', 'no connection'); },
    (where, error) => reports.push([where, error.code ?? error.message]), () => states.push(1));
  for (let turn = 0; turn < 5; turn += 1) await settled();
  late();
  const made = await opening;
  return { made, reports, late, states };
}

test('a database that never answers is done without after a while, and nothing is promised of it', async () => {
  const { made, reports } = await opened({ open: 'never', writes: ['never'] });
  await made.put('e', item(0));
  assert.equal(made.durable, false);
  assert.deepEqual(reports, [['storage.open', 'database-silent']]);
});

test('what was written is promised, and what a full disk has refused behind the request is not', async () => {
  const { made, reports, states } = await opened({ open: 'success', writes: ['complete', 'complete', 'abort'] });
  await made.put('e', item(0));
  assert.equal(made.durable, true);
  const before = states.length;
  await made.put('e', item(1));
  assert.equal(made.durable, false);
  assert.ok(states.length >= before + 2, 'the page is told when it is known');
  assert.deepEqual(reports, [['storage.write', 'the disk is full']]);
});

test('what one window has sent is not deleted where another one has kept a newer version meanwhile', async () => {
  const rows = new Map();
  const answered = (result) => { const request = { result }; setImmediate(() => request.onsuccess?.()); return request; };
  const store = {
    put: (row) => void rows.set(row.key, structuredClone(row)), get: (key) => answered(rows.get(key)),
    delete: (key) => void rows.delete(key), getAll: () => answered([...rows.values()]),
  };
  const database = { transaction: () => {
    const transaction = { objectStore: () => store };
    setTimeout(() => transaction.oncomplete?.(), 2);
    return transaction;
  } };
  globalThis.indexedDB = { open: () => answered(database) };
  globalThis.window = { setTimeout, clearTimeout };
  const down = async () => { throw new PageError('socket-disconnected', 'no connection'); };
  const outboxes = [];
  const open = async () => { outboxes.push(await Outbox.open(down, () => {}, () => {})); return outboxes.at(-1); };
  const playing = await open();
  await playing.put('e', { ...item(0), metrics: 'so far' });
  const other = await open();
  assert.equal(other.state.pending, 1);
  await new Promise((resolve) => { setTimeout(resolve, 5); });
  await playing.put('e', { ...item(0), metrics: 'more' });
  other.send = async () => ({ status: 'ok' });
  other.kick();
  for (let turn = 0; turn < 5000 && other.state.pending > 0; turn += 1) await new Promise((resolve) => { setTimeout(resolve, 2); });
  await new Promise((resolve) => { setTimeout(resolve, 10); });
  assert.deepEqual([...rows.values()].map(({ data }) => data.metrics), ['more']);
  assert.equal(playing.durable, true);
  playing.send = async () => ({ status: 'ok' });
  playing.kick();
  for (let turn = 0; turn < 5000 && rows.size > 0; turn += 1) await new Promise((resolve) => { setTimeout(resolve, 2); });
  assert.equal(rows.size, 0);
  delete globalThis.indexedDB;
});

test('an older version that lies there, since a newer one found no room, is deleted when that is stored', async () => {
  const rows = new Map();
  let full = false;
  const store = {
    put: (row) => { if (!full) rows.set(row.key, structuredClone(row)); },
    get: (key) => { const request = { result: rows.get(key) }; setImmediate(() => request.onsuccess?.()); return request; },
    delete: (key) => void rows.delete(key),
  };
  const { made } = outbox([new PageError('socket-disconnected', 'no connection')]);
  globalThis.window = { setTimeout: () => 0, clearTimeout: () => {} };
  made.database = { transaction: () => {
    const transaction = { objectStore: () => store, error: new Error('the disk is full') };
    const ends = full ? 'onabort' : 'oncomplete';
    setTimeout(() => transaction[ends]?.(), 2);
    return transaction;
  } };
  await made.put('e', { ...item(0), metrics: 'so far' });
  full = true;
  await new Promise((resolve) => { setTimeout(resolve, 5); });
  await made.put('e', { ...item(0), metrics: 'more' });
  full = false;
  for (let turn = 0; turn < 5000 && rows.size > 0; turn += 1) await new Promise((resolve) => { setTimeout(resolve, 2); });
  assert.equal(made.state.pending, 0);
  assert.deepEqual([...rows.values()], [], 'the next visit would send what is older');
});

test('a write that never answers keeps nothing from being sent', async () => {
  const { made, late } = await opened({ open: 'success', writes: ['complete', 'never'] });
  const sent = [];
  made.send = async (_event, data) => { sent.push(data.episode); return { status: 'ok' }; };
  const put = made.put('e', item(3));
  await settled();
  assert.equal(made.durable, false);
  late();
  await put;
  await settled();
  assert.deepEqual(sent, [3]);
  delete globalThis.indexedDB;
});

test('a database that opened and does not answer is waited for once in a visit, and said once', async () => {
  const { made, late, reports } = await opened({ open: 'success', writes: ['never'] });
  const sent = [];
  made.send = async (_event, data) => { sent.push(data.episode); return { status: 'ok' }; };
  const both = [made.put('e', item(1)), made.put('e', item(2))];
  late();
  await Promise.all(both);
  // Nothing makes the time pass any more.
  for (const episode of [3, 4]) await made.put('e', item(episode));
  for (let turn = 0; turn < 5; turn += 1) await settled();
  assert.deepEqual(sent.sort(), [1, 2, 3, 4]);
  assert.equal(made.durable, true, 'nothing is left that would not survive');
  assert.deepEqual(reports, [['storage.write', 'database-silent']]);
  delete globalThis.indexedDB;
});

test('a newer version that came while the older one was on its way is sent too', async () => {
  const answers = [];
  const { made } = outbox(answers);
  const sent = [];
  let release;
  made.send = async (_event, data) => {
    sent.push(data.metrics);
    if (sent.length === 1) await new Promise((resolve) => { release = resolve; });
    return { status: 'ok' };
  };
  await made.put('m', { ...item(-1), metrics: 'old' });
  await made.put('m', { ...item(-1), metrics: 'new' });
  release();
  await settled();
  assert.deepEqual(sent, ['old', 'new']);
  assert.equal(made.state.pending, 0);
});

test('a page that stood still while its database wrote waits for it once more', async (t) => {
  const clock = { now: 0 };
  t.mock.method(performance, 'now', () => clock.now);
  const { made, reports } = outbox([]);
  let timers = [];
  globalThis.window = { setTimeout: (f, ms) => { timers.push({ f, ms }); return timers.length; }, clearTimeout: () => {} };
  const transactions = [];
  made.database = { transaction: () => { transactions.push({ objectStore: () => ({ put() {}, get: () => ({}) }) }); return transactions.at(-1); } };
  const wakes = (passed) => {
    clock.now += passed;
    const due = timers.filter(({ ms }) => ms === STORING.database_within_ms);
    timers = [];
    for (const { f } of due) f();
  };
  made.send = () => new Promise(() => {});
  made.put('e', item(0));
  await settled();
  wakes(3_600_000);
  transactions[0].oncomplete();
  await settled();
  assert.deepEqual([reports, made.durable], [[], true]);
  made.put('e', item(1));
  await settled();
  wakes(3_600_000);
  await settled();
  assert.deepEqual(reports, [], 'it has the time again');
  // A page that nobody looks at has its timers late each time.
  wakes(60_000);
  await settled();
  assert.deepEqual(reports, [['storage.write', 'database-silent']]);
});

test('what is kept can be thrown away also where a frame may not ask for locks', async () => {
  const { made } = outbox([new PageError('socket-disconnected', 'no connection')]);
  await made.put('e', item(0));
  const locks = Object.getOwnPropertyDescriptor(navigator, 'locks');
  Object.defineProperty(navigator, 'locks', { configurable: true, value: { query: async () => { throw new Error('denied'); } } });
  await made.discard();
  assert.equal(made.state.pending, 0);
  if (locks) Object.defineProperty(navigator, 'locks', locks);
  else delete navigator.locks;
});

/** A browser's database that may be slow: what is asked of it then is done in its order when it answers. */
function slowDatabase(rows) {
  const waiting = [];
  const state = { slow: true };
  const later = (work) => { if (state.slow) waiting.push(work); else setImmediate(work); };
  const request = (result) => { const asked = {}; later(() => { asked.result = result(); asked.onsuccess?.(); }); return asked; };
  const database = { transaction: () => {
    const asked = [];
    const transaction = { objectStore: () => ({
      put: (row) => void asked.push(() => rows.set(row.key, structuredClone(row))), delete: (key) => void asked.push(() => rows.delete(key)),
      get: (key) => { const found = {}; asked.push(() => { found.result = rows.get(key); found.onsuccess?.(); }); return found; },
      getAll: () => request(() => [...rows.values()]),
    }) };
    later(() => {
      for (let each = asked.shift(); each; each = asked.shift()) each();
      transaction.oncomplete?.();
    });
    return transaction;
  } };
  globalThis.indexedDB = { open: () => request(() => database) };
  state.answers = async () => {
    state.slow = false;
    for (let work = waiting.shift(); work; work = waiting.shift()) {
      work();
      await settled();
    }
    for (let turn = 0; turn < 10; turn += 1) await settled();
  };
  return state;
}

test('a database that was late is made use of when it answers, and has then what is not stored', async () => {
  const timers = new Set();
  globalThis.window = {
    setTimeout: (f, ms) => { const timer = { f, ms }; timers.add(timer); return timer; }, clearTimeout: (timer) => void timers.delete(timer),
  };
  const late = async () => {
    await settled();
    for (const timer of [...timers].filter(({ ms }) => ms === STORING.database_within_ms)) {
      timers.delete(timer);
      timer.f();
    }
    for (let turn = 0; turn < 10; turn += 1) await settled();
  };
  const left = { key: keyOf('e', item(9)), event: 'e', data: item(9), created: 1 };
  const rows = new Map([[left.key, left]]);
  const there = () => [...rows.values()].map(({ data }) => data.episode).sort();
  const database = slowDatabase(rows);
  const [reports, sent] = [[], []];
  let takes = false;
  const opening = Outbox.open(async (_event, data) => {
    if (!takes) throw new PageError('socket-disconnected', 'away');
    sent.push(data.episode);
    return { status: 'ok' };
  }, (where, error) => reports.push([where, error.code]), () => {});
  await late();
  const made = await opening;
  await made.put('e', item(0));
  assert.deepEqual([made.durable, made.state.pending, there()], [false, 1, [9]]);
  await database.answers();
  assert.deepEqual([made.durable, made.state.pending, there()], [true, 2, [0, 9]], 'what an earlier visit has left is found, too');

  // While it is slow once more one is stored, one is not, and one comes.
  database.slow = true;
  made.put('e', item(1));
  await late();
  takes = true;
  made.kick();
  for (let turn = 0; turn < 10; turn += 1) await settled();
  takes = false;
  await made.put('e', item(2));
  assert.deepEqual([sent.sort(), made.durable, made.state.pending], [[0, 1, 9], false, 1]);
  await database.answers();
  assert.deepEqual([made.durable, there()], [true, [2]], 'the next visit would send again what is stored');
  assert.deepEqual(reports, [['storage.open', 'database-silent'], ['storage.write', 'database-silent']]);
  delete globalThis.indexedDB;
});
