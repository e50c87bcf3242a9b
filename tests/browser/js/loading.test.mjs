/** A page that is loaded again while it loads: what the load before could not store is in nobody's hands but its own. */

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const WEB = join(dirname(fileURLToPath(import.meta.url)), '../../../web');
const folder = mkdtempSync(join(tmpdir(), 'pycore-loading-'));
after(() => rmSync(folder, { recursive: true }));
for (const part of ['core', 'demo']) {
  mkdirSync(join(folder, part));
  cpSync(join(WEB, part), join(folder, part), { recursive: true });
}
// A slow line, and a server that is away.
const BY_HAND = {
  'core/loader.js': "export const STEPS = []; export const load = () => new Promise(() => {});",
  'core/socket.js': `export const connectSocket = async () => ({
    connected: false, onState: () => () => {}, onEvent: () => () => {}, emit: () => false, request: async () => { throw new Error('away'); },
  });`,
};
for (const [name, source] of Object.entries(BY_HAND)) writeFileSync(join(folder, name), source);
writeFileSync(join(folder, 'package.json'), '{"type": "module"}');

test('what was kept at parting is kept again by a page that goes before its game is loaded', async () => {
  const element = () => ({
    textContent: '', hidden: false, dataset: {}, style: {}, addEventListener: () => {}, setAttribute: () => {}, removeAttribute: () => {},
  });
  globalThis.window = Object.assign(new EventTarget(), { setTimeout: () => 0, clearTimeout: () => {}, location: { search: '' } });
  globalThis.location = window.location;
  globalThis.document = Object.assign(new EventTarget(), { getElementById: element, documentElement: element() });
  globalThis.console = { ...console, warn: () => {}, error: () => {} };
  const stores = [1, 2].map((first) => ({ event: 'pycore_rows', data: { game_id: 'g', player_id: 0, episode: 0, revision: 0, first, data: 'row' } }));
  const kept = new Map([['pycore-parting', JSON.stringify(stores)]]);
  globalThis.sessionStorage = {
    getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key),
  };
  // A browser without a database.
  await import(pathToFileURL(join(folder, 'demo/app.js')).href);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => { setImmediate(resolve); });
  assert.equal(kept.size, 0, 'it was taken');
  window.dispatchEvent(new Event('pagehide'));
  assert.deepEqual(JSON.parse(kept.get('pycore-parting')), stores);
});
