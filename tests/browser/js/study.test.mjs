/**
 * What a study brings into the page's Python, and when: packages before the game that imports them; what the page asks
 * of the server's socket. Pyodide and socket.io's client are driven by hand.
 */

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { load, loadPackages } from '../../../web/core/loader.js';
import { connectSocket } from '../../../web/core/socket.js';

const folder = mkdtempSync(join(tmpdir(), 'pycore-study-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'pyodide.mjs'), 'export const loadPyodide = async () => globalThis.python;');
const SITE = pathToFileURL(join(folder, 'manifest.json')).href;

/** A proxy of a Python module with these functions. */
const proxied = (functions) => ({
  destroy() {},
  ...Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, { copy: () => f }])),
});

/** A page's Python whose game says `raised` when it is imported; `did` has what was done, in order. */
function python({ raised = null, game = { make_env: () => 'an environment' }, locked = [] } = {}) {
  const did = [];
  const made = {
    did,
    lockfile: { packages: Object.fromEntries(locked.map((name) => [name, {}])) },
    unpackArchive: () => did.push('core'),
    loadPackage: async (what) => void did.push(`pyodide ${what.replace(/^file:.*\//, 'site/')}`),
    FS: { mkdirTree() {}, writeFile: (name) => did.push(`file ${name}`) },
    runPython() {},
    toPy: () => proxied({}),
    pyimport(name) {
      did.push(`import ${name}`);
      if (name === 'pycore.bridge') return proxied({ create: () => {} });
      if (name === 'micropip') return { install: async (what) => void did.push(`index ${what}`), destroy() {} };
      if (raised === null) return proxied(game);
      const error = new Error(`Traceback (most recent call last):\n  File "environment.py", line 3, in <module>\n${raised}\n`);
      error.name = 'PythonError';
      throw error;
    },
  };
  globalThis.python = made;
  return made;
}

/** Load a site with this manifest; `asked` takes what was fetched. */
function loading(manifest, asked = [], plays = true) {
  const whole = { pyodide: { url: './' }, wheel: 'wheels/core.whl', game: 'game/environment.py', ...manifest };
  globalThis.fetch = async (url) => {
    asked.push(url);
    return { ok: true, status: 200, body: null, json: async () => whole, arrayBuffer: async () => new ArrayBuffer(0) };
  };
  globalThis.performance.setResourceTimingBufferSize ??= () => {};
  globalThis.window = globalThis;
  return load(() => {}, () => {}, SITE, plays);
}

test('packages come before the game: from Pyodide, from the site, from the index, in their order', async () => {
  const { did } = python({ locked: ['numpy', 'micropip'] });
  await loading({ packages: ['numpy', 'pettingzoo==1.25', 'packages/tiny-1.0-py3-none-any.whl'], files: ['game/fields.py'] });
  assert.deepEqual(did.filter((what) => what !== 'pyodide micropip' && what !== 'import micropip'), [
    'core', 'import pycore.bridge', 'pyodide numpy', 'index pettingzoo==1.25', 'pyodide site/tiny-1.0-py3-none-any.whl',
    'file environment.py', 'file fields.py', 'import environment',
  ]);
});

test('the name of a package of Pyodide may be written in every way that indexes allow', async () => {
  const { did } = python({ locked: ['scikit-learn', 'micropip'] });
  await loadPackages(globalThis.python, ['Scikit_Learn', 'scikit.learn'], (url) => url, () => {});
  assert.deepEqual(did, ['pyodide Scikit_Learn', 'pyodide scikit.learn']);
});

test('a file of the game may have any name', async () => {
  const { did } = python();
  const asked = [];
  await loading({ files: ['game/level #1? 50%.txt', 'game/level%201.txt'] }, asked);
  assert.deepEqual(did.filter((what) => what.startsWith('file level')), ['file level #1? 50%.txt', 'file level%201.txt']);
  const found = asked.filter((url) => url.includes('level')).map((url) => url.slice(url.indexOf('level')));
  assert.deepEqual(found, ['level%20%231%3F%2050%25.txt', 'level%25201.txt']);
});

test('an atlas of many frames takes no time of the loading', async () => {
  python();
  const files = Object.fromEntries(Array.from({ length: 5000 }, (_, frame) => [`${frame}.png`, 'images/0.png']));
  const began = performance.now();
  const { manifest } = await loading({ images: { many: { src: 'images/0.png', files } } });
  assert.ok(performance.now() - began < 2000);      // 10 s, where each frame copied those before it
  assert.equal(manifest.images.many.files['4999.png'], new URL('images/0.png', SITE).href);
});

test('pictures are where the manifest is, whatever folder the page lies in', async () => {
  python();
  const { manifest } = await loading({ images: {
    ball: { src: 'images/0-ball.png', size: [8, 8] }, several: { src: 'images/1.png', files: { a: 'images/1.png', b: 'images/2.png' } },
  } });
  const at = (name) => new URL(`images/${name}`, SITE).href;
  assert.deepEqual(manifest.images, {
    ball: { src: at('0-ball.png'), size: [8, 8] }, several: { src: at('1.png'), files: { a: at('1.png'), b: at('2.png') } },
  });
});

test('whoever only watches makes no policy, which may need what its machine has not', async () => {
  const script = `data:text/javascript,${encodeURIComponent("export const makePolicy = () => { throw new Error('no GPU'); };")}`;
  const partner = { module: 'partner', factory: 'make_policy' };
  const manifest = { page_policies: { 1: script }, policies: { 2: partner }, stand_in: partner, predictor: partner };
  const { did } = python();
  assert.equal((await loading(manifest, [], false)).makeEnvironment(), 'an environment');
  assert.ok(!did.includes('import partner'));
  python({ game: { make_env: () => 'an environment', make_policy: () => {} } });
  await assert.rejects(loading(manifest), { code: 'load-policy', message: /no GPU/ });
});

test('a module that is not in the page is named, with the setting that brings it in', async () => {
  for (const [raised, module] of [
    ["ModuleNotFoundError: No module named 'numpy'", 'numpy'],
    ["ModuleNotFoundError: No module named 'gymnasium.spaces'", 'gymnasium'],
    ["ModuleNotFoundError: No module named 'yaml'; 'yaml' is not a package", 'yaml'],
  ]) {
    python({ raised });
    await assert.rejects(loading({}), (error) => {
      assert.equal(error.code, 'load-module');
      assert.equal(error.message, `The game needs the module ${module}, which is not in the page.`);
      assert.ok(error.advice.includes(`"packages": ["${module}"] in the study's settings`));
      return true;
    });
  }
});

test('what else the game raises at its import is shown as it is, and a game without its function is named', async () => {
  python({ raised: "NameError: name 'sead' is not defined" });
  await assert.rejects(loading({}), { name: 'PythonError', message: /sead/ });
  python({ game: {} });
  await assert.rejects(loading({ factory: 'make' }), { code: 'load-game', message: 'game/environment.py has no function make()' });
  python();
  await assert.rejects(loading({ game: null }), { code: 'load-manifest' });
});

test('the environment that was made while loading is the first one that is played', async () => {
  let made = 0;
  python({ game: { make_env: () => { made += 1; return `environment ${made}`; } } });
  const loaded = await loading({});
  assert.equal(made, 1);
  assert.deepEqual([loaded.makeEnvironment(), loaded.makeEnvironment()], ['environment 1', 'environment 2']);
});

/** What a page's socket says of itself with its first word, at this address. */
async function presented(search) {
  globalThis.window = { setTimeout: () => 0, clearTimeout: () => {}, location: { search } };
  const client = 'export const io = (options) => { globalThis.asked = options; return { on() {}, onAny() {}, io: { on() {}, opts: {} } }; };';
  await connectSocket(`data:text/javascript,${encodeURIComponent(client)}`, 'secret', () => {});
  const { page, ...auth } = globalThis.asked.auth;
  assert.match(page, /^[0-9a-f]{36}$/, 'by it the server knows a page that was loaded again');
  return auth;
}

test('the page says its address with its first word, so that the server knows who could not even load it', async () => {
  assert.deepEqual(await presented('?PROLIFIC_PID=5f3c&x=%3Cb%3E'), { session_id: 'secret', query: '?PROLIFIC_PID=5f3c&x=%3Cb%3E' });
  assert.deepEqual(await presented(''), { session_id: 'secret', query: '' });
});

test('an address that is too long for that is left out, and keeps nobody from playing', async () => {
  assert.equal((await presented(`?x=${'1'.repeat(1897)}`)).query.length, 1900);
  assert.equal((await presented(`?x=${'1'.repeat(1898)}`)).query, '');
});
