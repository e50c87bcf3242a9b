/** A spectator by hand: what it asks the server, steps, shows and says, episode by episode; Python and picture are doubles. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WATCHING } from '../../../web/watch/handed.js';

const FPS = 30;
let now = 0;
let tick = () => {};
performance.now = () => now;
globalThis.location = { href: 'http://study.test/watch/' };
globalThis.ResizeObserver = class { observe() {} disconnect() {} };
globalThis.requestAnimationFrame = () => 1;
globalThis.cancelAnimationFrame = () => {};
globalThis.devicePixelRatio = 1;
globalThis.document = { activeElement: null, createElement: () => element() };
globalThis.window = {
  setInterval: (all) => { tick = all; return 1; },
  clearInterval: () => {}, addEventListener: () => {}, removeEventListener: () => {}, devicePixelRatio: 1,
};
const { Spectator } = await import('../../../web/watch/spectator.js');

/** An element that takes everything. */
function element() {
  const target = new EventTarget();
  return Object.assign(target, {
    hidden: true, textContent: '', value: '1', max: '1', disabled: false, dataset: {}, attributes: {}, width: 0, height: 0,
    classes: new Set(), clientWidth: 1, clientHeight: 1,
    classList: { toggle(name, on) { target.bad = on && name === 'bad'; } },
    setAttribute(name, value) { target.attributes[name] = value; },
    getBoundingClientRect: () => ({ width: 1, height: 1 }),
    getContext: (kind) => (kind === '2d' ? {} : null),
  });
}

/** Steps every line but the first; the text of a row is what is recorded. */
function python() {
  const world = { begun: [], stepped: [], lines: [], shown: [], ended: false, difference: null, closed: false };
  return Object.assign(world, {
    begin(settings, header, episode) {
      if (header === 'no header') throw new Error('no such game');
      Object.assign(world, { stepped: [], lines: [], ended: false });
      world.begun.push(episode);
    },
    feed(rows) { world.lines.push(...rows.trimEnd().split('\n').filter(Boolean)); },
    step(most) {
      for (const line of world.lines.splice(0, most)) {
        if (line === 'end') world.ended = true;
        else world.stepped.push(line);
      }
      return world.stepped.length;
    },
    show(frame) { world.shown.push(world.stepped[frame - 1]); return ''; },
    state: (frame) => JSON.stringify({
      frames: world.stepped.length, waiting: world.lines.length, ended: world.ended, hashes: 1, actions: [frame],
      difference: world.difference, totals: { 0: frame / 4, 1: 'inf', 2: null }, gone: frame > 3 ? { 1: 'default_action' } : {},
    }),
    destroy() { world.closed = true; },
  });
}

/** A server of episodes: each has rows and whether it is complete; and a spectator of it. */
function watched(server) {
  const elements = new Map();
  const root = {
    hidden: true,
    querySelector(selector) {
      if (!elements.has(selector)) elements.set(selector, element());
      return elements.get(selector);
    },
  };
  const asked = [];
  globalThis.fetch = async (url) => {
    const of = new URL(url).searchParams;
    const [episode, from] = [Number(of.get('episode')), Number(of.get('from'))];
    asked.push([episode, from]);
    const { rows = null, complete = false, gap = null, revisions = [] } = server.episodes[episode] ?? {};
    const to = rows === null ? from : Math.max(from, Math.min(from + (server.most ?? 1000), rows.length));
    const last = complete && rows !== null && to >= rows.length;
    const found = {
      settings: { fps: FPS }, late_s: 1, running: server.running, episodes: server.episodes.length, episode, from, to,
      there_are: rows?.length ?? 0, header: rows === null ? null : server.header ?? 'header', complete: last, gap, revisions,
      in_parts: server.in_parts ?? false,
      rows: [...(rows ?? []).slice(from, to), ...(last ? ['end'] : [])].map((row) => `${row}\n`).join(''),
    };
    return { ok: true, headers: new Headers({ 'content-type': 'application/json' }), json: async () => found };
  };
  const game = python();
  const module = { create: () => game, destroy() {} };
  const loaded = { pyodide: { pyimport: () => module }, makeEnvironment: () => ({}) };
  const told = [];
  const spectator = new Spectator(loaded, root, 'a game', 'its key', (running) => told.push(running));
  return {
    game, spectator, asked, told,
    find: (selector) => root.querySelector(selector),
    said: () => root.querySelector('.told').textContent,
    click: (selector) => root.querySelector(selector).dispatchEvent(new Event('click')),
    look(frame) {
      root.querySelector('.slider').value = String(frame);
      root.querySelector('.slider').dispatchEvent(new Event('input'));
    },
    choose(number) {
      root.querySelector('.episode').value = String(number);
      root.querySelector('.episode').dispatchEvent(new Event('change'));
    },
    /** So many seconds of turns; answers come between them. */
    async pass(seconds) {
      const until = now + seconds * 1000;
      while (now < until) {
        now += WATCHING.turn_ms;
        tick();
        await new Promise((done) => { setImmediate(done); });
      }
    },
  };
}

/** @param {number} count @param {string} name */
const rows = (count, name = 'row') => Array.from({ length: count }, (_, at) => `${name} ${at + 1}`);

test('of a game that goes on the newest episode is followed, and the next one after it', async () => {
  const server = { running: true, episodes: [{ rows: rows(90), complete: true }, { rows: rows(60) }] };
  const world = watched(server);
  await world.pass(0.5);
  assert.deepEqual(world.game.begun, [1]);
  assert.equal(world.spectator.state.shown, 60);
  assert.deepEqual(world.told, [true]);
  server.episodes[1] = { rows: rows(90), complete: true };
  server.episodes.push({ rows: rows(30, 'third') });
  await world.pass(1.2);
  // To its end at the game's own speed, though there is a later one.
  const { episode, shown } = world.spectator.state;
  assert.ok(episode === 1 && shown > 60 && shown < 90, `${episode} ${shown}`);
  await world.pass(2);
  assert.deepEqual(world.game.begun, [1, 2]);
  assert.equal(world.game.shown.at(-1), 'third 30');
  assert.equal(world.find('.live').attributes['aria-pressed'], 'true');
  world.spectator.close();
  assert.ok(world.game.closed);
});

test('an earlier episode is played at the speed of the game from its first frame, then the next one', async () => {
  const server = { running: true, most: 25, episodes: [{ rows: rows(90, 'a'), complete: true }, { rows: rows(60, 'b') }] };
  const world = watched(server);
  await world.pass(1);
  world.choose(1);
  await world.pass(0.6);
  assert.deepEqual(world.game.begun, [1, 0]);
  // All that is there has come and was stepped, by as many questions as it takes; what is shown keeps time.
  assert.equal(world.spectator.state.stepped, 90);
  assert.deepEqual(world.asked.filter(([episode, from]) => episode === 0 && from > 0).map(([, from]) => from), [25, 50, 75]);
  assert.ok(Math.abs(world.spectator.state.shown - 0.6 * FPS) <= 4, String(world.spectator.state.shown));
  world.look(40);
  await world.pass(1);
  assert.equal(world.game.shown.at(-1), 'a 40');
  assert.equal(world.find('output').textContent, '1 · 40 / 90');
  assert.match(world.said(), /points 0: 10, 1: inf, 2: – · gone: 1 \(default action\)/);
  assert.equal(world.find('.play').textContent, 'play');
  world.click('.play');
  await world.pass(50 / FPS + 0.3);
  assert.equal(world.spectator.state.episode, 1);
  world.click('.earlier');
  await world.pass(0.3);
  world.click('.live');
  await world.pass(0.3);
  assert.deepEqual([world.spectator.state.episode, world.game.shown.at(-1)], [1, 'b 60']);
  world.spectator.close();
});

test('a game that is over plays from its beginning to its end, and once more', async () => {
  const server = { running: false, episodes: [{ rows: rows(30, 'a'), complete: true }, { rows: rows(15, 'b'), complete: true }] };
  const world = watched(server);
  await world.pass(0.4);
  assert.ok(world.spectator.state.shown < 20);
  assert.equal(world.find('.live').hidden, true);
  await world.pass(2);
  assert.deepEqual([world.spectator.state.episode, world.spectator.state.playing], [1, false]);
  assert.equal(world.game.shown.at(-1), 'b 15');
  const before = world.asked.length;
  await world.pass(5);
  assert.equal(world.asked.length, before);
  world.click('.play');
  await world.pass(0.2);
  assert.ok(world.spectator.state.shown < 15);
  world.choose(1);
  for (const [wanted, episode] of [[99, 1], ['', 1], [-3, 0]]) {
    world.choose(wanted);
    assert.deepEqual([world.spectator.state.episode, world.find('.episode').value], [episode, String(episode + 1)]);
  }
  world.spectator.close();
});

test('what was taken back is stepped anew, each time, and what is shown stays in its place', async () => {
  const server = { running: true, episodes: [{ rows: rows(90, 'old') }] };
  const world = watched(server);
  await world.pass(0.5);
  world.look(20);
  server.episodes[0] = { rows: [...rows(50, 'old'), ...rows(50, 'new')], revisions: [[1, 50]] };
  await world.pass(1.5);
  assert.deepEqual([world.game.begun, world.game.stepped[50], world.game.shown.at(-1)], [[0, 0], 'new 1', 'old 20']);
  assert.equal(world.spectator.state.shown, 20);
  // A second time, behind the first; and one that takes back nothing that came.
  server.episodes[0] = { rows: [...rows(50, 'old'), ...rows(20, 'new'), ...rows(60, 'newer')], revisions: [[1, 50], [2, 70]] };
  await world.pass(1.5);
  assert.deepEqual([world.game.begun, world.game.stepped[70]], [[0, 0, 0], 'newer 1']);
  server.episodes[0] = { ...server.episodes[0], revisions: [[1, 50], [2, 70], [3, 130]] };
  await world.pass(1.5);
  server.episodes[0].rows = [...server.episodes[0].rows, ...rows(40, 'on')];
  await world.pass(3);
  assert.deepEqual(world.game.begun, [0, 0, 0]);
  world.spectator.close();
});

test('rows that do not go together are asked for once more, all of them, before it is said', async () => {
  const server = { running: true, episodes: [{ rows: rows(40, 'of one who went') }] };
  const world = watched(server);
  await world.pass(0.5);
  const { begin } = world.game;
  world.game.begin = (...of) => { world.game.difference = null; begin(...of); };
  // The others agreed on frame 35, and play on from there.
  server.episodes[0] = { rows: [...rows(35, 'of one who went'), ...rows(40, 'of the others')] };
  world.game.difference = 'frame 40 is another one';
  await world.pass(2);
  assert.deepEqual([world.game.begun, world.spectator.state.why], [[0, 0], '']);
  assert.equal(world.game.stepped[35], 'of the others 1');
  world.game.difference = 'frame 60 is another one';
  server.episodes[0].rows.push('one more');
  await world.pass(2);
  assert.match(world.said(), /frame 60 is another one/);
  assert.deepEqual(world.game.begun, [0, 0]);
  world.spectator.close();
});

test('an environment that cannot draw a frame, or draws what is none, is watched on', async () => {
  const server = { running: false, episodes: [{ rows: rows(60), complete: true }] };
  const world = watched(server);
  await world.pass(0.3);
  const show = world.game.show;
  world.game.show = () => { throw Object.assign(new Error('Traceback\nValueError: no surface\n'), { name: 'PythonError', type: 'ValueError' }); };
  await world.pass(0.3);
  assert.match(world.said(), /^As it was recorded.* · the picture cannot be drawn: ValueError: no surface$/);
  world.game.show = () => JSON.stringify({ objects: [null], reset: false });
  await world.pass(0.3);
  assert.match(world.said(), /the picture cannot be drawn: /);
  world.game.show = show;
  await world.pass(3);
  assert.doesNotMatch(world.said(), /cannot be drawn/);
  assert.deepEqual([world.game.begun, world.spectator.state.shown], [[0], 60]);
  world.spectator.close();
});

test('what cannot be shown is said, and another episode can be chosen', async () => {
  const server = { running: false, episodes: [{ rows: rows(9), gap: [9, 12] }, {}, { gap: [0, 5] }, { rows: rows(4), complete: true }] };
  const world = watched(server);
  await world.pass(2);
  assert.match(world.said(), /frames 9 to 11 were never stored/);
  world.choose(2);
  await world.pass(0.5);
  assert.equal(world.said(), 'Nothing of episode 2 was stored.');
  world.choose(3);
  await world.pass(0.5);
  assert.equal(world.said(), 'Of episode 3 the first frames were never stored.');
  world.game.difference = 'frame 2 is another one';
  world.choose(4);
  await world.pass(0.5);
  assert.match(world.said(), /not what was recorded: frame 2/);
  assert.ok(world.find('.told').bad);
  world.game.difference = null;
  world.choose(1);
  await world.pass(0.5);
  assert.ok(!world.find('.told').bad);
  assert.match(world.said(), /^As it was recorded/);
  world.spectator.close();
  for (const [more, said] of [
    [{}, /^Nothing of this game was stored/], [{ in_parts: true }, /"pycore data" writes it/],
    [{ header: 'no header', episodes: [{ rows: rows(3) }] }, /none of this environment's: no such game/],
  ]) {
    const other = watched({ running: false, episodes: [], ...more });
    await other.pass(0.3);
    assert.match(other.said(), said);
    other.spectator.close();
  }
});
