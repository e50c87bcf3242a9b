/** What a page's own code does in its callbacks: it throws, closes the game, or gives what is no action. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { PycoreGame } from '../../../web/core/game.js';

/** A game that is over after `frames` ticks, and what happened once the page saw no more of it. */
async function played({ frames = 5, closes = () => {}, sights = '{}', polled = () => {}, orders = [], ...parts }) {
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
  globalThis.window = globalThis;
  const happened = { reports: [], actions: [], events: [], broke: 0 };
  const [inbox, words] = [new Uint8Array(4096), new Uint8Array(4096)];
  new DataView(words.buffer).setFloat64(0, 0.002, true);
  let gone = false;
  const buffer = (data) => ({
    // As of a proxy that was given back.
    getBuffer: () => { if (gone) throw new Error('Object has already been destroyed'); return { data, release() {} }; }, destroy() {},
  });
  let ticks = 0;
  const game = new PycoreGame({
    create: () => ({
      link_count: 1, inbox: buffer(inbox), outbox: buffer(words),
      view: { destroy() {}, hud: () => '{"players": []}', render: () => '', sights: () => sights, state: () => '{"settled": true}' },
      poll: (_now, action, length) => {
        happened.actions.push(action);
        const view = new DataView(inbox.buffer);
        for (let at = 12; at < length; at += 12 + view.getUint16(at + 2, true)) {
          happened.events.push(JSON.parse(new TextDecoder().decode(inbox.subarray(at + 12, at + 12 + view.getUint16(at + 2, true)))));
        }
        polled(game);
        let end = 16;
        for (const [kind, order] of orders.splice(0)) {
          const bytes = new TextEncoder().encode(JSON.stringify(order));
          words[end] = kind;
          new DataView(words.buffer).setUint16(end + 2, bytes.length, true);
          words.set(bytes, end + 8);
          end += 8 + bytes.length;
        }
        return end;
      },
      advance: () => { ticks += 1; return ticks >= frames ? 33 : 1; },
      broke: () => { happened.broke += 1; return 16; },
      send_failed: () => 16, outbox_length: () => 16, set_wall_ms() {}, close: closes,
      // As Python's float() does of what is no number.
      set_socketio_rtt(seconds) { if (!Number.isFinite(seconds)) throw new TypeError('no number'); }, destroy() { gone = true; },
    }),
    environment: { destroy() { happened.environment = 'given back'; } }, config: { game_id: 'g', player_id: 0 },
    socket: { connected: true, rtt: NaN, emit: () => true, onEvent: () => () => {} },
    // Node has no workers of the browser's kind.
    report: (where, error) => void (where === 'timer.worker' || happened.reports.push([where, error.message])),
    readAction: () => 2, renderer: null, ...parts,
  });
  game.start();
  await new Promise((resolve) => { setTimeout(resolve, 60); });
  game.close();
  return { ...happened, outcome: game.outcome, game };
}

test('what a page throws while it shows a game is said once, and ends nobody\'s', async () => {
  const throws = (what) => () => { throw new Error(what); };
  const { reports, outcome, broke } = await played({ onHud: throws('no #score'), readAction: throws('no keys') });
  assert.deepEqual(reports, [['game.readAction', 'no keys'], ['game.onHud', 'no #score']]);
  assert.deepEqual([outcome, broke], ['over', 0]);
});

test('a page whose last word fails is told so, and answers the others on', async () => {
  const failed = [];
  const { outcome, broke, actions } = await played({
    onOver: () => { throw new Error('no #end'); }, onFailed: (error) => void failed.push(error.message),
  });
  assert.deepEqual([failed, outcome, broke], [['no #end'], 'over', 0]);
  assert.ok(actions.length > 8, 'they may need receipts still');
});

test('callbacks may be asynchronous: what they reject with is what they throw', async () => {
  const failed = [];
  const rejects = (what) => async () => { throw new Error(what); };
  const { reports, outcome, broke } = await played({
    onHud: rejects('no #score'), onNews: rejects('no #log'), onOver: rejects('no #end'), onFailed: (error) => void failed.push(error.message),
    orders: [[4, { news: 'store' }]],
  });
  assert.deepEqual(reports.map(([where]) => where).sort(), ['game.onHud', 'game.onOver', 'game.order store']);
  assert.deepEqual([failed, outcome, broke], [['no #end'], 'over', 0]);
});

test('a socket of the page\'s own need not know its round trip', async () => {
  for (const rtt of [null, undefined, Infinity]) {
    const socket = { connected: true, rtt, emit: () => true, onEvent: () => () => {} };
    const { reports, outcome } = await played({ socket });
    assert.deepEqual([reports, outcome], [[], 'over'], String(rtt));
  }
});

test('what is no action is said once and is the default; whole numbers of 64 bits are numbers', async () => {
  const circle = {};
  circle.itself = circle;
  const given = [7n, { keys: [1n, 2n] }, circle, 2n ** 80n, undefined, 3];
  const { actions, reports, outcome } = await played({ frames: 6, readAction: () => (given.length > 0 ? given.shift() : 0) });
  assert.deepEqual(actions.slice(0, 6), ['7', '{"keys":[1,2]}', '', '', '', 3]);
  assert.deepEqual(reports.map(([where]) => where), ['game.action']);
  assert.equal(outcome, 'over');
});

test('a policy may answer in 64 bits, and what it cannot say is said once', async () => {
  const sights = JSON.stringify({ 1: { observation: 0, frame: 3, episode: 0 }, 2: { observation: 0, frame: 3, episode: 0 } });
  const circle = {};
  circle.itself = circle;
  const { events, reports } = await played({ sights, frames: 10, policies: { 1: () => 4n, 2: async () => circle } });
  assert.deepEqual(events[0], { event: 'policy', data: { player: '1', action: 4 } });
  assert.ok(events.every(({ data }) => data.player === '1'));
  assert.equal(reports.length, 1);
  assert.equal(reports[0][0], 'game.policy');
});

for (const where of ['onHud', 'onOver', 'readAction']) {
  test(`a page may close its game in ${where}: that is no failure`, async () => {
    const failed = [];
    let game = null;
    const { reports, environment } = await played({
      polled: (its) => { game = its; }, onFailed: (error) => void failed.push(error), [where]: () => void game?.close(),
    });
    assert.deepEqual([reports, failed, environment], [[], [], 'given back']);
  });
}

test('a page may close its game at news of it, and nothing is connected behind that', async () => {
  const [failed, connected] = [[], []];
  globalThis.RTCPeerConnection = class { constructor() { connected.push(this); } };
  let game = null;
  const { reports } = await played({
    polled: (its) => { game = its; }, onFailed: (error) => void failed.push(error),
    orders: [[4, { news: 'done' }], [3, { link: 0, command: 'connect', generation: 1 }]], onNews: () => void game.close(),
  });
  delete globalThis.RTCPeerConnection;
  assert.deepEqual([reports, failed, connected], [[], [], []]);
});

test('an environment whose close() raises keeps no page from its next game', async () => {
  const { reports, environment, game } = await played({ closes: () => { throw new Error('close() of Tag failed'); } });
  assert.deepEqual(reports, [['core.close', 'close() of Tag failed']]);
  assert.equal(environment, 'given back');
  assert.equal(game.bridge.closed, true);
});
