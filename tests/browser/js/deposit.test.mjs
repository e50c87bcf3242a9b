/** What a session leaves behind when its page goes: nothing that the page has recorded is lost by that. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { takeParting } from '../../../web/core/seat.js';
import { Deposit } from '../../../web/demo/deposit.js';
import { Outbox } from '../../../web/demo/storage.js';

/** A page whose database answers a write only when it is told to, and whose server answers nothing. */
function page() {
  const stored = new Map();
  globalThis.sessionStorage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, String(value)),
    removeItem: (key) => void stored.delete(key),
  };
  globalThis.window = { setTimeout: () => 0, clearTimeout: () => {} };
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  const writes = [];
  const database = {
    transaction: () => {
      const transaction = { objectStore: () => ({ put: () => {}, delete: () => {} }) };
      writes.push(() => transaction.oncomplete());
      return transaction;
    },
  };
  const recorded = [];
  const game = { gameId: 'g', myPlayerId: 1, outcome: 'running', takeStores: () => recorded.splice(0) };
  const outbox = new Outbox(database, () => new Promise(() => {}), () => {}, () => {});
  const record = (first) => recorded.push(['pycore_rows', { episode: 0, revision: 0, first, data: `${first}` }]);
  return { deposit: new Deposit(game, outbox, 'mine', () => {}), game, outbox, record, writes };
}

const settled = () => new Promise((resolve) => { setImmediate(resolve); });

test('what was handed over a moment before the page goes is kept with what it records last', async () => {
  const { deposit, record, writes } = page();
  record(0);
  deposit.take();
  await settled();
  writes.forEach((done) => done());
  await settled();
  record(30);
  deposit.take();
  record(60);
  deposit.depart();
  const kept = takeParting();
  assert.deepEqual(kept.map(({ data }) => data.first), [30, 60], 'the browser has the first, and the server none');
  assert.deepEqual(kept[0], { event: 'pycore_rows', data: { game_id: 'g', player_id: 1, session_id: 'mine', episode: 0, revision: 0, first: 30, data: '30' } });
});

test('where Python fails at the last, what it gave before is kept', async () => {
  const { deposit, game, record } = page();
  record(0);
  deposit.take();
  game.takeStores = () => { throw new Error('Python is broken'); };
  assert.throws(() => deposit.depart(), /broken/);
  assert.deepEqual(takeParting().map(({ data }) => data.first), [0]);
});

test('what an earlier game or load left is kept as well, where the browser gives no database', async () => {
  const { outbox } = page();
  outbox.database = null;
  await outbox.put('pycore_rows', { game_id: 'before', player_id: 0, episode: 0, revision: 0, first: 0, data: 'x' });
  outbox.depart();
  assert.deepEqual(takeParting().map(({ data }) => data.game_id), ['before']);
});
