/** A page that is loaded again: what its tab keeps, what it asks the server, and what it does with the answers. */

import { beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { forgetSeat, keepParting, keepSeat, keptSeat, secret, takeParting } from '../../../web/core/seat.js';
import { Comeback } from '../../../web/demo/comeback.js';

const SEAT = { session: 'mine', game: 'g1' };
let stored;

beforeEach(() => {
  stored = new Map();
  globalThis.location = { search: '?PROLIFIC_PID=5f3c' };
  globalThis.sessionStorage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, String(value)),
    removeItem: (key) => void stored.delete(key),
  };
});

/** A server that gives these answers, and what it was asked. */
function server(...answers) {
  const asked = [];
  return { asked, request: async (event, data) => { asked.push([event, data]); return answers.shift(); } };
}

test('a tab keeps its seat while a game runs, and forgets it afterwards', () => {
  assert.equal(keptSeat(), null);
  keepSeat(SEAT);
  assert.deepEqual(keptSeat(), SEAT);
  forgetSeat();
  assert.equal(keptSeat(), null);
});

test('what is no seat of ours is none, and neither is anything where the browser keeps nothing', () => {
  for (const other of ['', '{', 'null', '3', '{"session":"mine"}', '{"session":1,"game":"g1"}']) {
    keepSeat(SEAT);
    stored.set([...stored.keys()][0], other);
    assert.equal(keptSeat(), null, other);
  }
  const refuses = () => { throw new Error('SecurityError'); };
  globalThis.sessionStorage = { getItem: refuses, setItem: refuses, removeItem: refuses };
  keepSeat(SEAT);
  forgetSeat();
  assert.equal(keptSeat(), null);
});

test('what a page could not wait for is found by its next load, once', () => {
  assert.deepEqual(takeParting(), []);
  const stores = [{ event: 'pycore_rows', data: { game_id: 'g1', data: 'row' } }];
  keepParting(stores);
  assert.deepEqual(takeParting(), stores);
  assert.deepEqual(takeParting(), []);
  stored.set('pycore-parting', '{"a');
  assert.deepEqual(takeParting(), []);
  for (const odd of ['3', '[3, null, {"event": 1, "data": {}}, {"event": "pycore_rows"}]']) {
    stored.set('pycore-parting', odd);
    assert.deepEqual(takeParting(), []);
  }
  globalThis.sessionStorage = { getItem: () => null, setItem: () => { throw new Error('QuotaExceededError'); }, removeItem: () => {} };
  keepParting(stores);
  assert.deepEqual(takeParting(), []);
});

test('where there is no room for all that a page could not wait for, the newest of it is found', () => {
  const stores = Array.from({ length: 7 }, (_, first) => ({ event: 'pycore_rows', data: { first, data: 'r'.repeat(100) } }));
  for (const [room, found] of [[10_000, [0, 1, 2, 3, 4, 5, 6]], [500, [4, 5, 6]], [170, [6]], [50, []]]) {
    globalThis.sessionStorage.setItem = (key, value) => {
      if (value.length > room) throw new Error('QuotaExceededError');
      stored.set(key, value);
    };
    keepParting(stores);
    assert.deepEqual(takeParting().map(({ data }) => data.first), found, room);
  }
});

test('secrets are long and differ', () => {
  const some = new Set(Array.from({ length: 100 }, secret));
  assert.equal(some.size, 100);
  for (const each of some) assert.match(each, /^[0-9a-f]{36}$/);
});

test('a page that comes back asks for its seat in that game alone', async () => {
  const asks = server({ status: 'ok', kept: true, ms_remaining: 5000 }, { status: 'ok', state: 'restored' });
  keepSeat(SEAT);
  const comeback = new Comeback(asks, SEAT);
  assert.equal(await comeback.isKept(), true);
  assert.equal(await comeback.join('mine'), true);
  assert.deepEqual(asks.asked, [
    ['seat_kept', {}], ['join_game', { session_id: 'mine', game_id: 'g1', query: '?PROLIFIC_PID=5f3c' }],
  ]);
  assert.deepEqual(keptSeat(), SEAT, 'it may be loaded again');
});

test('where the game is over the seat is forgotten, whenever that is heard', async () => {
  for (const ask of [
    async () => new Comeback(server({ status: 'ok', kept: false }), SEAT).isKept(),
    async () => new Comeback(server({ status: 'ok', state: 'over' }), SEAT).join('mine'),
  ]) {
    keepSeat(SEAT);
    assert.equal(await ask(), false);
    assert.equal(keptSeat(), null);
  }
});

test('an answer that says nothing of the game takes nothing away', async () => {
  keepSeat(SEAT);
  const comeback = new Comeback(server({ status: 'error', code: 'too_frequent' }, undefined), SEAT);
  assert.equal(await comeback.isKept(), true);
  assert.equal(await comeback.join('mine'), true);
  assert.deepEqual(keptSeat(), SEAT);
});

test('a page that comes back to nothing asks nothing', async () => {
  const asks = server();
  assert.equal(await new Comeback(asks, null).join('mine'), false);
  assert.deepEqual(asks.asked, []);
});
