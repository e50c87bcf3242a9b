/** Who plays, as the page's server says it: in any order, for the last game only, and without its last word too. */

import { test } from 'node:test';
import assert from 'node:assert/strict';

const timers = [];
globalThis.window = { setTimeout: (f, ms) => timers.push({ f, ms }), subjectName: 'ann', sessionId: 's1' };
const { Players } = await import('../../../web/interactive_gym/players.js');

function world() {
  const face = { frameNumber: 7, num_episodes: 1, sceneId: 'volley', can: { withdrawal: [['gone', [['game_id', null], ['reason', 'error']]]] } };
  let complete = 0;
  timers.length = 0;
  return { face, players: new Players(face, () => void (complete += 1)), completed: () => complete };
}

const SEAT = { player_id: 0, game_id: 'g1', game_seed: 5 };

test('the page knows its seat at once, and Python all of it when everybody is there', () => {
  const { face, players, completed } = world();
  players.assign(SEAT);
  assert.deepEqual([face.myPlayerId, face.gameId, face.gameSeed, completed()], [0, 'g1', 5, 0]);
  players.gather({ game_id: 'g2', players: [0, 1] });
  assert.deepEqual([players.ready, completed()], [false, 0]);
  players.gather({ game_id: 'g1', players: [0, 1], player_subjects: { 0: 'ann', 1: 'bob' } });
  assert.deepEqual([players.ready, completed()], [true, 1]);
  assert.deepEqual(players.config(), {
    game_id: 'g1', players: [0, 1], player_id: 0, seed: 5, turn_config: null, player_subjects: { 0: 'ann', 1: 'bob' },
  });
});

test('a server that never says that all are there is waited for once, and only for this game', () => {
  const { players, completed } = world();
  players.gatherUnannounced();
  assert.equal(timers.length, 0);
  players.assign(SEAT);
  players.gatherUnannounced();
  assert.equal(timers[0].ms, 1000);
  players.forget();
  timers[0].f();
  assert.equal(completed(), 0);
  players.assign(SEAT);
  players.gatherUnannounced();
  timers[1].f();
  assert.deepEqual([completed(), players.config().players, players.config().player_subjects], [1, null, { 0: 'ann' }]);
});

test('where the server says in time that all are there, its word stands', () => {
  const { players, completed } = world();
  players.assign(SEAT);
  players.gatherUnannounced();
  players.gather({ game_id: 'g1', players: [0, 1] });
  timers[0].f();
  assert.deepEqual([completed(), players.config().players], [1, [0, 1]]);
});

test('what came before the game could take it is handed over once, and forgotten with the game', () => {
  const { players } = world();
  const event = { event: 'webrtc_signal', data: {}, arrival: 1 };
  players.keep(event);
  assert.deepEqual(players.takeEarly(), []);
  players.assign(SEAT);
  players.keep(event);
  assert.deepEqual([players.takeEarly(), players.takeEarly()], [[event], []]);
  players.keep(event);
  players.forget();
  assert.deepEqual([players.assigned, players.ready, players.takeEarly()], [null, false, []]);
});

test('only who was matched withdraws, with the facts that the generation of the page names', () => {
  const { players } = world();
  const sent = [];
  const host = { emit: (...words) => void sent.push(words) };
  players.withdraw(host);
  assert.deepEqual(sent, []);
  players.assign(SEAT);
  players.withdraw(host);
  assert.deepEqual(sent, [['gone', { game_id: 'g1', reason: 'error' }, true]]);
});
