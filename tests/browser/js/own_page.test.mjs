/**
 * The page to copy (pycore/site/template/page.html): what it stores, what it says on the screen and to the server, and
 * that it needs nothing that browsers keep for https.
 *
 * Its script runs as it is, with the real modules for keys, errors and storing; the socket, the loader, the game and the
 * canvas are driven by hand.
 */

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const HTML = readFileSync(join(ROOT, 'pycore/site/template/page.html'), 'utf8');
const [, SCRIPT] = /<script type="module"[^>]*>(.*?)<\/script>/s.exec(HTML);

const BY_HAND = {
  'core/loader.js': 'export const load = (...given) => globalThis.world.load(...given);',
  'core/socket.js': 'export const connectSocket = (...given) => globalThis.world.connect(...given);',
  'core/game.js': 'export class PycoreGame { constructor(given) { return globalThis.world.play(given); } }',
  'demo/canvas.js': 'export class Renderer { constructor(...given) { this.given = given; } }',
};

const folder = mkdtempSync(join(tmpdir(), 'pycore-page-'));
after(() => rmSync(folder, { recursive: true }));
for (const part of ['core', 'demo']) {
  mkdirSync(join(folder, part));
  cpSync(join(ROOT, 'web', part), join(folder, part), { recursive: true });
}
for (const [name, source] of Object.entries(BY_HAND)) writeFileSync(join(folder, name), source);
writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
writeFileSync(join(folder, 'page.js'), SCRIPT);

/** What this tab keeps, which browsers have and Node has not; for one test. */
function keeping(t, ...before) {
  const kept = new Map(...before);
  globalThis.sessionStorage = {
    getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key),
  };
  t.after(() => { delete globalThis.sessionStorage; });
  return kept;
}

const settled = async () => { for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => { setImmediate(resolve); }); };
let visits = 0;

/** A visit of the page by plain http: what it sent, what it shows, and its game in our hands. */
async function visit({ load = async () => ({ create: 'create', makeEnvironment: () => 'env', manifest: { title: 'Tag' } }), play = null, answer = { status: 'ok' }, answers = [] } = {}) {
  const status = { textContent: 'Loading…' };
  const sent = [];
  const listeners = {};
  const game = {
    gameId: 'g', myPlayerId: 1, early: null, started: false, seen: 'saw 0\n', part: 0,
    hud: () => ({ episode: 0, num_episodes: 2, players: [{ interrupted: false }], phase: 'playing' }),
    /** As Python makes them: what was recorded since the last time, and at an end (-1: of the session) the metrics. */
    takeStores(ended = null) {
      const taken = this.seen;
      this.seen = '';
      const stores = taken || ended === -1 ? [['pycore_experienced', { part: this.part++, last: ended === -1, data: taken }]] : [];
      if (taken) stores.unshift(['pycore_rows', { episode: 0, data: `rows of ${taken}` }]);
      if (ended !== null) stores.push(['p2p_session_metrics', { episode: ended, metrics: {} }]);
      return stores;
    },
    exportSessionMetrics: () => ({ frames: { total: 1 } }),
    catchUp(early) { this.early = early; },
    start() { this.started = true; },
  };
  const visited = { sent, status, game, given: null, session: null };
  // What is there without https, and nothing else: no crypto.randomUUID, no crypto.subtle, no database.
  Object.defineProperty(globalThis, 'crypto', { configurable: true, value: { getRandomValues: (array) => array.fill(7) } });
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: {} });
  for (const name of ['indexedDB', 'caches', 'SharedArrayBuffer']) {
    Object.defineProperty(globalThis, name, { configurable: true, value: undefined });
  }
  globalThis.window = Object.assign(new EventTarget(), { setTimeout: () => 0, clearTimeout: () => {}, location: { search: '' } });
  globalThis.location = window.location;
  globalThis.document = Object.assign(new EventTarget(), { title: '', getElementById: (id) => (id === 'status' ? status : { id, style: {} }) });
  for (const name of ['addEventListener', 'dispatchEvent']) globalThis[name] = window[name].bind(window);
  globalThis.console = { ...console, warn: () => {} };
  globalThis.world = {
    load,
    connect: async (url, session) => {
      visited.session = session;
      return {
        onState: (listener) => { listeners.state = listener; },
        onEvent: (listener) => { listeners.event = listener; },
        emit: (event, data) => { sent.push([event, data]); return true; },
        part: (leaves) => void sent.push(['part', leaves]),
        request: async (event, data) => { sent.push([event, data]); return answers.shift() ?? answer; },
      };
    },
    play: play ?? ((given) => { visited.given = given; return game; }),
  };
  visits += 1;
  await import(`${pathToFileURL(join(folder, 'page.js'))}?${visits}`);
  await settled();
  visited.tell = (event, data = {}) => listeners.event(event, data, 0.5);
  visited.connected = () => listeners.state('connected', '');
  visited.begins = (room = {}) => {
    visited.tell('pyodide_player_assigned', { game_id: 'g', player_id: 1, game_seed: 5 });
    visited.tell('pyodide_game_ready', { players: [0, 1], turn_config: null, ...room });
    visited.tell('webrtc_signal', { type: 'offer' });
    visited.tell('start_game', { scene_metadata: { fps: 20 } });
  };
  visited.stores = () => sent.filter(([event]) => event.startsWith('pycore_') || event === 'p2p_session_metrics')
    .map(([event, { episode, part, last, data, session_id: session }]) => [event, episode ?? part, data ?? '', last ?? false, session === visited.session]);
  return visited;
}

test('it joins under a secret of its own, and begins what the server says with all that came before', async () => {
  const page = await visit();
  assert.match(page.session, /^(07){18}$/);
  assert.deepEqual(page.sent, [['join_game', { session_id: page.session }]]);
  page.tell('waiting_room');
  assert.match(page.status.textContent, /^Waiting for another player/);
  page.begins();
  assert.deepEqual([page.given.config.game_id, page.given.config.player_id, page.given.config.seed], ['g', 1, 5]);
  assert.deepEqual(page.given.config.settings, { fps: 20 });
  assert.deepEqual(page.game.early.map(({ event }) => event), ['pyodide_game_ready', 'webrtc_signal', 'start_game']);
  assert.equal(page.game.started, true);
  assert.equal(document.title, 'Tag');
});

test('it stores what was recorded all along, the end of each episode, and of the session', async () => {
  const page = await visit();
  page.begins();
  page.given.onNews({ news: 'store' });
  await settled();
  assert.deepEqual(page.stores(), [
    ['pycore_rows', 0, 'rows of saw 0\n', false, true], ['pycore_experienced', 0, 'saw 0\n', false, true],
  ]);
  page.sent.length = 0;
  page.given.onNews({ news: 'episode-end', episode: 0 });
  await settled();
  assert.deepEqual(page.stores(), [['p2p_session_metrics', 0, '', false, true]]);
  page.sent.length = 0;
  page.game.seen = 'saw 1\n';
  page.given.onNews({ news: 'done', reason: 'complete', text: '' });
  page.given.onOver();
  assert.match(page.status.textContent, /^The game is over\. Storing your data/);
  await settled();
  assert.deepEqual(page.stores(), [
    ['pycore_rows', 0, 'rows of saw 1\n', false, true], ['pycore_experienced', 1, 'saw 1\n', true, true],
    ['p2p_session_metrics', -1, '', false, true],
  ]);
  assert.equal(page.status.textContent, 'The game is over. Your data is stored. You can close this page.');
  page.sent.length = 0;
  page.given.onNews({ news: 'desync-report', episode: 0, frame: 7, differences: [], lacks: '' });
  await settled();
  assert.deepEqual(page.stores().map(([event, episode]) => [event, episode]).at(-1), ['p2p_session_metrics', -1], 'what differed may come last');
});

test('what the server has not taken is not called stored, and goes out again when the connection is back', async () => {
  const answer = { status: 'error', code: 'store_busy' };
  const page = await visit({ answer });
  page.begins();
  page.given.onNews({ news: 'done', reason: 'complete', text: '' });
  page.given.onOver();
  await settled();
  assert.equal(page.status.textContent, 'The game is over. Storing your data…');
  page.sent.length = 0;
  answer.status = 'ok';
  page.connected();
  await settled();
  assert.deepEqual(new Set(page.stores().map(([event]) => event)), new Set(['pycore_experienced', 'pycore_rows', 'p2p_session_metrics']));
  assert.match(page.status.textContent, /Your data is stored/);
});

test('also what a failed game leaves is stored; why it failed is on the screen and told to the server', async () => {
  const page = await visit();
  page.begins();
  page.given.onFailed(new Error('Tag.step() raised'));
  await settled();
  const stored = new Set(page.stores().map(([event, number]) => `${event} ${number}`));
  for (const what of ['pycore_experienced 0', 'pycore_rows 0', 'p2p_session_metrics -1']) assert.ok(stored.has(what), what);
  assert.match(page.status.textContent, /^The game cannot go on: Tag\.step\(\) raised/);
  const told = () => page.sent.filter(([event]) => ['page_failed', 'leave_game'].includes(event));
  const failed = ['page_failed', { code: 'Error', message: 'Tag.step() raised', where: 'game' }];
  assert.deepEqual(told(), [failed]);
  page.given.onParted();
  assert.deepEqual(told(), [failed, ['leave_game', {}]]);
});

test('a game that ended before its first frame is told to the server as well, and is not called stored', async () => {
  const page = await visit();
  page.begins();
  page.game.exportSessionMetrics = () => ({ frames: { total: 0 } });
  page.given.onNews({ news: 'done', reason: 'terms', text: 'the players have different versions of the game' });
  page.given.onOver();
  await settled();
  assert.match(page.status.textContent, /different versions of the game/);
  assert.doesNotMatch(page.status.textContent, /stored|Storing/);
  const [failed] = page.sent.filter(([event]) => event === 'page_failed');
  assert.match(failed[1].message, /different versions of the game/);
});

const BEFORE = {
  'the game cannot be loaded': ['start', { load: async () => { throw new Error('No module named numpy'); } }, () => {}, /No module named numpy/],
  'the environment cannot be played': ['begin', { play: () => { throw new Error('Tag.reset() takes no seed'); } }, (page) => page.begins(), /takes no seed/],
  'the server takes nobody': ['join', {}, (page) => page.tell('pycore_error', { event: 'join_game', message: 'All places are taken' }), /All places are taken/],
  'the other player goes before it begins': ['begin', {}, (page) => {
    page.tell('pyodide_player_assigned', { game_id: 'g', player_id: 1, game_seed: 5 });
    page.tell('end_game', { message: 'The other player has left' });
  }, /The other player has left/],
};

for (const [what, [where, given, happens, said]] of Object.entries(BEFORE)) {
  test(`the page does not stay blank, nor the server without a word, where ${what}`, async () => {
    const page = await visit(given);
    happens(page);
    await settled();
    assert.match(page.status.textContent, said);
    const [failed] = page.sent.filter(([event]) => event === 'page_failed');
    assert.match(failed[1].message, said);
    assert.equal(failed[1].where, where);
    page.sent.length = 0;
    page.connected();
    assert.deepEqual(page.sent, [], 'who cannot play asks for no game');
  });
}

test('a page that is loaded again asks for its seat in its game, and says which load it is', async (t) => {
  const kept = keeping(t);
  const first = await visit();
  first.begins({ return_within: 60, load: 0 });
  const again = await visit();
  assert.deepEqual(again.sent, [['join_game', { session_id: first.session, game_id: 'g' }]]);
  again.begins({ return_within: 60, load: 1 });
  assert.equal(again.given.config.load, 1);
  again.given.onNews({ news: 'done', reason: 'complete', text: '' });
  again.given.onOver();
  assert.equal(kept.size, 0, 'there is nothing to come back to');
  const other = await visit();
  other.begins({ return_within: 0, load: 0 });
  assert.equal(kept.size, 0, 'where nobody returns nothing is kept');
});

test('whom the others play on without takes its seat again, as another load of its page', async (t) => {
  const kept = keeping(t);
  const page = await visit();
  let reloads = 0;
  window.location.reload = () => { reloads += 1; };
  page.begins({ return_within: 60, load: 0 });
  page.given.onNews({ news: 'done', reason: 'dropped', text: 'the others play on', again: true });
  page.given.onOver();
  assert.equal(reloads, 1);
  page.sent.length = 0;
  dispatchEvent(new Event('pagehide'));
  assert.deepEqual(page.sent.filter(([event]) => event === 'part'), [['part', false]], 'it comes back');
  const again = await visit();
  assert.deepEqual(again.sent.filter(([event]) => event === 'join_game'), [['join_game', { session_id: page.session, game_id: 'g' }]]);
});

test('a page whose game is over meanwhile asks for another one', async (t) => {
  const kept = keeping(t, [['pycore-seat', JSON.stringify({ session: 'mine', game: 'old' })]]);
  const page = await visit({ answers: [{ status: 'ok', state: 'over' }] });
  assert.deepEqual(page.sent, [['join_game', { session_id: 'mine', game_id: 'old' }], ['join_game', { session_id: 'mine' }]]);
  assert.equal(kept.size, 0);
});

test('a server that takes nobody for the moment is asked again when it said, and one that takes nobody ever is not', async (t) => {
  const page = await visit();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const code of ['server_busy', 'draining']) {
    page.sent.length = 0;
    page.tell('pycore_error', { event: 'join_game', code, message: 'ask again', again_ms: 5000 });
    assert.match(page.status.textContent, /^The server is busy at the moment/);
    t.mock.timers.tick(4999);
    assert.deepEqual(page.sent, []);
    t.mock.timers.tick(1);
    assert.deepEqual(page.sent, [['join_game', { session_id: page.session }]]);
  }
  page.tell('pycore_error', { event: 'join_game', code: 'server_full', message: 'All places are taken' });
  page.sent.length = 0;
  t.mock.timers.tick(60_000);
  assert.deepEqual(page.sent, []);
  assert.match(page.status.textContent, /All places are taken/);
});

test('what the server does not take of an earlier game keeps nobody from playing', async () => {
  const page = await visit();
  page.sent.length = 0;
  for (const [event, code] of [['pycore_rows', 'foreign_room'], ['p2p_session_metrics', 'store_failed'], ['pycore_experienced', 'store_busy'], ['ready', 'too_frequent']]) {
    page.tell('pycore_error', { event, code, message: 'not that' });
  }
  assert.deepEqual(page.sent, []);
  assert.doesNotMatch(page.status.textContent, /cannot go on|busy/);
  page.begins();
  assert.equal(page.game.started, true);
});

test('whose seat another window has reads so, stores what was recorded, and says nothing more', async (t) => {
  const kept = keeping(t);
  const page = await visit();
  page.begins({ return_within: 60 });
  let halted = 0;
  page.game.halt = () => { halted += 1; };
  page.sent.length = 0;
  page.tell('pycore_error', { event: 'join_game', code: 'replaced', message: 'another socket' });
  await settled();
  assert.equal(halted, 1);
  assert.match(page.status.textContent, /opened in another window/);
  assert.ok(page.stores().some(([event, , data]) => event === 'pycore_rows' && data === 'rows of saw 0\n'));
  assert.deepEqual(page.sent.filter(([event]) => ['leave_game', 'page_failed'].includes(event)), []);
  assert.equal(kept.size, 0, 'a reload would take the seat back');
  const waits = await visit();
  waits.sent.length = 0;
  waits.tell('pycore_error', { event: 'join_game', code: 'replaced', message: 'another socket' });
  assert.match(waits.status.textContent, /opened in another window/);
  assert.deepEqual(waits.sent, []);
});

test('whom the others play on without, and whose tab keeps no seat, is not loaded again: what it has would be lost', async () => {
  const page = await visit({ answer: new Promise(() => {}) });
  let reloads = 0;
  window.location.reload = () => { reloads += 1; };
  page.begins({ return_within: 60 });
  page.given.onNews({ news: 'done', reason: 'dropped', text: 'the others play on', again: true });
  page.given.onOver();
  assert.equal(reloads, 0);
  assert.match(page.status.textContent, /the others play on.*Storing your data/);
});

test('the picture has what the study says of it: files, shape, and how corrections are shown', async () => {
  const manifest = { title: 'Tag', images: { face: { src: 'face.png' } }, world: [16, 9], smooth_corrections: 0.3 };
  const page = await visit({ load: async () => ({ create: 'create', makeEnvironment: () => 'env', manifest }) });
  page.begins();
  const [canvas, , options] = page.given.renderer.given;
  assert.deepEqual(options, { images: manifest.images, world: [16, 9], corrections: 0.3 });
  assert.equal(canvas.style.aspectRatio, '16 / 9');
});

test('who is sent on goes there, and from a frame of a survey by a click that takes the whole window', async () => {
  const page = await visit();
  const gone = [];
  Object.assign(window.location, { assign: (address) => void gone.push(address) });
  Object.assign(window, { top: window });
  page.tell('outcome', { outcome: 'completed', next: 'https://panel.test/a' });
  assert.deepEqual(gone, ['https://panel.test/a']);
  const framed = await visit();
  Object.assign(window.location, { assign: (address) => void gone.push(address) });
  Object.assign(window, { top: {} });
  Object.assign(document, { createElement: (name) => ({ name }) });
  const shown = [];
  framed.status.replaceChildren = (...given) => void shown.push(...given);
  framed.tell('outcome', { outcome: 'completed', next: 'https://panel.test/b' });
  assert.equal(gone.length, 1);
  assert.deepEqual(shown, [{ name: 'a', href: 'https://panel.test/b', target: '_top', textContent: 'Continue' }]);
});

test('a page that goes tells the others at once, and what it has not stored its next load does', async (t) => {
  const kept = keeping(t);
  const page = await visit({ answer: new Promise(() => {}) });
  page.begins({ return_within: 60 });
  page.sent.length = 0;
  dispatchEvent(new Event('pagehide'));
  assert.deepEqual(page.sent.filter(([event]) => ['part', 'leave_game'].includes(event)), [['part', false]]);
  const again = await visit();
  assert.ok(again.stores().some(([event, , data]) => event === 'pycore_rows' && data === 'rows of saw 0\n'));
  const waits = await visit();
  kept.clear();
  waits.begins({ return_within: 0 });
  waits.sent.length = 0;
  dispatchEvent(new Event('pagehide'));
  const gone = waits.sent.filter(([event]) => ['part', 'leave_game'].includes(event));
  assert.deepEqual(gone, [['leave_game', {}], ['part', true]], 'where nobody comes back');
  waits.given.onNews({ news: 'done', reason: 'complete', text: '' });
  waits.given.onOver();
  waits.sent.length = 0;
  dispatchEvent(new Event('pagehide'));
  assert.deepEqual(waits.sent.filter(([event]) => event === 'part'), [], 'a game that is over is left by nobody');
  const behind = await visit();
  assert.ok(behind.stores().some(([event]) => event === 'p2p_session_metrics'), 'what it stored last was not stored yet');
});

test('a player who cannot be reached is said, and how the game ended', async () => {
  const page = await visit();
  page.begins();
  page.given.onHud({ players: [{ interrupted: true }], episode: 0, num_episodes: 2, phase: 'playing' });
  assert.match(page.status.textContent, /cannot be reached at the moment/);
  page.given.onHud({ players: [{ interrupted: false }], episode: 0, num_episodes: 2, phase: 'playing', notice: '' });
  assert.equal(page.status.textContent, 'Episode 1 of 2: playing');
  page.given.onNews({ news: 'done', reason: 'player_left', text: 'the other one went' });
  page.given.onOver();
  assert.match(page.status.textContent, /^The game has ended: the other one went\./);
});
