/** The way back of a page that was loaded again: what the server says of its game, and when it cannot say it yet. */

import { test } from 'node:test';
import assert from 'node:assert/strict';

globalThis.location = /** @type {any} */ ({ search: '?PROLIFIC_PID=p' });
const { PageError } = await import('../../../web/core/errors.js');
const { Comeback } = await import('../../../web/demo/comeback.js');

/** A server that gives these replies, one after the other, and what it was asked. */
function server(...replies) {
  const asked = [];
  return { asked, connected: true, request: (event, data) => {
    asked.push([event, data]);
    const reply = replies.shift();
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  } };
}

test('a game that is over is forgotten, and only then', async () => {
  const over = new Comeback(server({ status: 'ok', kept: false }), { session: 's', game: 'g' });
  assert.equal(await over.isKept(), false);
  assert.equal(over.game, null);
  const unsure = new Comeback(server({ status: 'error', code: 'store_failed' }), { session: 's', game: 'g' });
  assert.equal(await unsure.isKept(), true);
  assert.equal(unsure.game, 'g');
});

test('a server that cannot say yet whether the game goes on is asked again', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const socket = server({ status: 'error', code: 'store_failed' }, { status: 'ok', state: 'restored' });
  const comeback = new Comeback(socket, { session: 's', game: 'g' });
  const joined = comeback.join('s');
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(socket.asked.length, 1);
  context.mock.timers.tick(2000);
  assert.equal(await joined, true);
  assert.deepEqual(socket.asked.map(([event, { game_id: game }]) => [event, game]), [['join_game', 'g'], ['join_game', 'g']]);
});

test('who was asked again meanwhile is not asked a third time', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const socket = server({ status: 'error', code: 'store_failed' }, { status: 'ok', state: 'restored' });
  const comeback = new Comeback(socket, { session: 's', game: 'g' });
  const first = comeback.join('s');
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(await comeback.join('s'), true);
  context.mock.timers.tick(2000);
  assert.equal(await first, true);
  assert.equal(socket.asked.length, 2);
});

test('an answer that comes too late leaves nobody before a game that is over, and asks for the seat once', async () => {
  const late = new PageError('socket-timeout', 'not acknowledged');
  const over = server(late, late, { status: 'ok', kept: false });
  assert.equal(await new Comeback(over, { session: 's', game: 'g' }).join('s'), false);
  assert.deepEqual(over.asked.map(([event]) => event), ['join_game', 'seat_kept', 'seat_kept']);
  const goesOn = server(late, { status: 'ok', kept: true });
  assert.equal(await new Comeback(goesOn, { session: 's', game: 'g' }).join('s'), true);
  const gone = server(new PageError('socket-disconnected', 'no connection'));
  await assert.rejects(new Comeback(gone, { session: 's', game: 'g' }).join('s'));
  assert.equal(gone.asked.length, 1, 'with the next connection it is asked anew');
});

test('without a connection it is asked with the next one', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const socket = server({ status: 'error', code: 'store_failed' });
  const joined = new Comeback(socket, { session: 's', game: 'g' }).join('s');
  await Promise.resolve();
  await Promise.resolve();
  socket.connected = false;
  context.mock.timers.tick(2000);
  assert.equal(await joined, true);
  assert.equal(socket.asked.length, 1);
});

test('a page that goes says so by socket and beside it, and whether it may come back', () => {
  const said = [];
  const socket = { emit: (event) => said.push(event), part: (leaves) => said.push(leaves) };
  const kept = new Map([['pycore-seat', '{"session": "s", "game": "g"}']]);
  globalThis.sessionStorage = /** @type {any} */ ({ getItem: (name) => kept.get(name) ?? null });
  new Comeback(socket, null).depart();
  assert.deepEqual(said.splice(0), [false]);
  kept.clear();
  new Comeback(socket, null).depart();
  assert.deepEqual(said, ['leave_game', true]);
});
