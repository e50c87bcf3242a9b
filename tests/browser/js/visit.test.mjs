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

/** Somebody who waits for a game. */
function waiting() {
  elements.clear();
  const [sent, heard] = [[], []];
  const socket = {
    connected: true, refusal: '', rtt: NaN, onState: () => {}, onEvent: (listener) => { heard.push(listener); return () => {}; },
    emit: (event, data) => { sent.push([event, data]); return true; },
  };
  const loaded = { manifest: {}, makeEnvironment: () => ({ destroy: () => {} }), create: () => { throw new Error('unfit'); } };
  const outbox = { state: { pending: 0, refused: [] }, keptOf: () => ({ pending: 0, refused: [] }), hold: () => {}, kick: () => {}, put: async () => {}, durable: true };
  const comeback = { game: null, forget: () => {}, depart: () => {} };
  const visit = new Visit(loaded, socket, outbox, 's', comeback);
  visit.start();
  visit.join();
  // As the socket does: what a listener throws is reported, and nothing else.
  const says = (event, data) => heard.forEach((listener) => guard(report, 'socket.event', listener)(event, data, 1));
  const begins = () => {
    says('pyodide_player_assigned', { game_id: 'g', player_id: 0, game_seed: 1 });
    says('pyodide_game_ready', { game_id: 'g', players: [0, 1], turn_config: null });
    says('start_game', { scene_metadata: { fps: 30 } });
  };
  return { begins, sent, told: () => sent.map(([event]) => event) };
}

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
