/** The course of a visit with a page, a server and Python by hand: what goes wrong when a game is to begin. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import './english.mjs';

const elements = new Map();

/** As much of an element as anybody asks for. */
function element(id = '') {
  const context = new Proxy({}, { get: () => () => ({}) });
  return {
    id, hidden: false, textContent: '', dataset: {}, children: [], childElementCount: 0, width: 1, height: 1, clientWidth: 1, clientHeight: 1,
    style: { setProperty: () => {} }, classList: { toggle: () => {}, add: () => {}, remove: () => {} },
    append: () => {}, replaceChildren: () => {}, setAttribute: () => {}, removeAttribute: () => {}, focus: () => {}, scrollIntoView: () => {},
    addEventListener: () => {}, querySelector: () => element(), getContext: (kind) => (kind === '2d' ? context : null),
  };
}

globalThis.window = Object.assign(globalThis, new EventTarget(), {
  addEventListener: () => {}, matchMedia: () => ({ matches: false }), devicePixelRatio: 1,
});
globalThis.location = { search: '' };
if (!globalThis.navigator) Object.defineProperty(globalThis, 'navigator', { configurable: true, value: {} });
// The first tick is that of the start, and there is no other.
globalThis.Worker = class { postMessage() {} terminate() {} };
globalThis.requestAnimationFrame = () => 1;
globalThis.cancelAnimationFrame = () => {};
globalThis.ResizeObserver = class { observe() {} disconnect() {} };
globalThis.document = Object.assign(new EventTarget(), {
  hidden: false, title: '', documentElement: element(), body: element(), hasFocus: () => true,
  getElementById: (id) => elements.get(id) ?? elements.set(id, element(id)).get(id),
  createElement: () => element(), querySelector: () => null, querySelectorAll: () => [],
});
const { Visit } = await import('../../../web/demo/visit.js');
const { guard } = await import('../../../web/core/errors.js');
const { report, status } = await import('../../../web/demo/status.js');

/** Somebody who waits for a game; `line` says how the way to the server is: what goes into a `dead` one is lost. */
function waiting(create = () => { throw new Error('unfit'); }) {
  elements.clear();
  const [sent, heard, watchers] = [[], [], []];
  const line = { dead: false, answer: 'ok' };
  const into = (event, data) => { if (!line.dead) sent.push([event, data]); };
  const socket = {
    connected: true, refusal: '', rtt: NaN, onState: (watcher) => { watchers.push(watcher); }, onEvent: (listener) => { heard.push(listener); return () => {}; },
    emit: (event, data) => { if (socket.connected) into(event, data); return socket.connected; },
    request: async (event, data) => {
      if (socket.connected) into(event, data);
      if (!socket.connected || line.dead) throw new Error('no answer');
      return { status: line.answer };
    },
  };
  /** Its connection goes, or is there again. */
  const connects = (is) => {
    socket.connected = is;
    line.dead = false;
    for (const watcher of watchers) watcher(is ? 'connected' : 'disconnected', '');
  };
  const loaded = { manifest: {}, makeEnvironment: () => ({ destroy: () => {} }), create };
  const outbox = {
    state: { pending: 0, refused: [] }, keptOf: () => ({ pending: 0, refused: [] }), hold: () => {}, kick: () => {}, put: async () => {},
    depart: () => {}, durable: true,
  };
  const comeback = { game: null, forget: () => {}, depart: () => {} };
  const visit = new Visit(loaded, socket, outbox, 's', comeback);
  visit.start();
  visit.join();
  // As the socket does: what a listener throws is reported, and nothing else.
  const says = (event, data) => heard.forEach((listener) => guard(report, 'socket.event', listener)(event, data, 1));
  const begins = (room = {}) => {
    says('pyodide_player_assigned', { game_id: 'g', player_id: 0, game_seed: 1 });
    says('pyodide_game_ready', { game_id: 'g', players: [0, 1], turn_config: null, ...room });
    says('start_game', { scene_metadata: { fps: 30 } });
  };
  return { begins, sent, visit, line, connects, told: () => sent.splice(0).map(([event]) => event) };
}

/** Python of a game that is over with its first tick, and what it says of that. */
function over(done) {
  const outbox = new Uint8Array(4096);
  const text = new TextEncoder().encode(JSON.stringify({ news: 'done', ...done }));
  new DataView(outbox.buffer).setFloat64(0, 0.01, true);
  outbox[16] = 4;
  new DataView(outbox.buffer).setUint16(18, text.length, true);
  outbox.set(text, 24);
  const buffer = (data) => ({ getBuffer: () => ({ data, release() {} }), destroy() {} });
  const hud = JSON.stringify({ players: [{ id: 0, you: true }, { id: 1 }], num_episodes: 1, phase: 'done', frame: 9, episode: 0 });
  const metrics = JSON.stringify({
    frames: { total: 9 }, connection: { type: 'direct' }, inputs: {}, rollbacks: { count: 0, maxFrames: 0 }, quality: {}, sync: {},
  });
  return () => ({
    link_count: 0, inbox: buffer(new Uint8Array(4096)), outbox: buffer(outbox),
    view: { destroy() {}, hud: () => hud, render: () => '', export_session_metrics: () => metrics, state: () => '{"settled": true}' },
    poll: () => 24 + text.length, advance: () => 32, send_failed: () => 16, outbox_length: () => 16, set_wall_ms() {},
    take_stores: () => '[]', take_end_stores: () => '[]', close() {}, destroy() {},
  });
}

/** What is asked for in promises and in timers. */
const settled = async () => { for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => { setImmediate(resolve); }); };

const quietly = (t) => t.mock.method(console, 'error', () => {});

for (const [what, broken] of Object.entries({
  'the environment cannot be played': () => {},
  'the browser gives no picture': () => { elements.set('canvas', { ...element('canvas'), getContext: () => null }); },
})) {
  test(`where ${what} the person reads so, and the others do not wait for this page`, (t) => {
    quietly(t);
    const { begins, told } = waiting();
    broken();
    begins();
    assert.equal(status.phase, 'failed');
    assert.deepEqual(told(), ['join_game', 'page_failed', 'leave_game']);
    status.phase = 'loading';
  });
}

test('who asks for another game while the connection is away, or going, has left the last one before it asks', async () => {
  const { begins, visit, line, connects, told } = waiting(over({ reason: 'complete' }));
  begins();
  assert.equal(status.phase, 'done');
  told();
  connects(false);
  await visit.again();
  assert.deepEqual(told(), []);
  connects(true);
  assert.deepEqual(told(), ['leave_game', 'join_game'], 'the server gives nobody a game who has a seat');
  await settled();
  connects(false);
  connects(true);
  assert.deepEqual(told(), ['join_game'], 'it was heard');
  visit.leave();
  line.answer = 'error';
  connects(false);
  visit.leave();
  connects(true);
  await settled();
  connects(false);
  line.answer = 'ok';
  connects(true);
  assert.deepEqual(told().filter((event) => event === 'leave_game').length, 3, 'a refusal is no hearing');
  await settled();
  visit.join();
  begins();
  told();
  // The browser does not know yet that nothing arrives any more.
  line.dead = true;
  await visit.again();
  connects(false);
  connects(true);
  assert.deepEqual(told(), ['leave_game', 'join_game']);
  await settled();
  line.dead = true;
  visit.leave();
  connects(false);
  connects(true);
  assert.deepEqual(told(), ['leave_game'], 'who has left the waiting room is put into no game');
  await settled();
  // Nobody leaves the game that has begun.
  line.dead = true;
  visit.join();
  visit.leave();
  visit.join();
  line.dead = false;
  begins();
  status.phase = 'playing';
  connects(false);
  connects(true);
  assert.deepEqual(told(), []);
  visit.join();
  status.phase = 'loading';
});

test('whom the others play on without takes its seat again by a reload, where the tab keeps what leads to it', () => {
  const kept = new Map();
  let reloads = 0;
  location.reload = () => { reloads += 1; };
  const done = { reason: 'dropped', text: 'the others play on', again: true };
  for (const [storage, times, phase] of [
    [{ getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) }, 1, 'connecting'],
    // As in a survey's frame whose browser gives other sites no storage: what was played lies in the memory alone.
    [{ getItem: () => { throw new Error('denied'); }, setItem: () => { throw new Error('denied'); }, removeItem: () => {} }, 0, 'done'],
  ]) {
    reloads = 0;
    globalThis.sessionStorage = storage;
    waiting(over(done)).begins({ return_within: 60 });
    assert.deepEqual([reloads, status.phase], [times, phase]);
    status.phase = 'loading';
  }
  delete globalThis.sessionStorage;
});
