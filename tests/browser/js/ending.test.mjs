/** What the end screen says of a game. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import './english.mjs';
import { ending } from '../../../web/demo/ending.js';

const METRICS = {
  connection: { type: 'direct' }, frames: { total: 9 }, rollbacks: { count: 0, maxFrames: 0 },
  inputs: { sentViaP2P: 9, sentViaSocketIO: 0, receivedViaP2P: 9, receivedViaSocketIO: 0 },
  quality: { p2pFallbackTriggered: false }, sync: { p2pHashMismatches: 0 },
};
const PLAYERS = [{ id: 0, you: true }, { id: 1, you: false }];

test('a session of one round has a tile for each player', () => {
  const hud = { num_episodes: 1, players: PLAYERS, score: [3, 2] };
  const { lead, tiles, rounds } = ending('complete', '', hud, ['You 3 · Partner 2'], METRICS);
  assert.deepEqual([lead, tiles, rounds], ['The game is over.', [['You', '3'], ['Partner', '2']], []]);
});

test('one of several has a line for each round that has points, and a score of all is a tile', () => {
  const hud = { num_episodes: 3, players: PLAYERS, score: 7 };
  const { tiles, rounds, rows } = ending('complete', '', hud, ['a', '', 'c'], METRICS);
  assert.deepEqual([tiles, rounds], [[['Score', '7']], [['Round 1', 'a'], ['Round 3', 'c']]]);
  assert.deepEqual(rows[0], ['Connection', 'peer-to-peer, direct']);
});

test('points are numbers; rewards that are vectors, or endless, or have no sum are none', () => {
  for (const rewards of [[[1, 2], [3, 4]], ['inf', 1], [null, 2], [{ food: 1 }, { food: 2 }]]) {
    const hud = { num_episodes: 1, players: PLAYERS, score: null, rewards };
    assert.deepEqual(ending('complete', '', hud, [], METRICS).tiles, []);
  }
  const hud = { num_episodes: 1, players: PLAYERS, score: null, rewards: [1, 2.5] };
  assert.deepEqual(ending('complete', '', hud, [], METRICS).tiles, [['You', '1'], ['Partner', '2.5']]);
  hud.rewards = [0.5, 0.45];
  assert.deepEqual(ending('complete', '', hud, [], METRICS).tiles, [['You', '0.5'], ['Partner', '0.45']]);
});

test('whoever played is told of a desync in plain words, and not which field of the state it was', () => {
  const hud = { num_episodes: 1, players: PLAYERS, score: null, rewards: null };
  const { lead } = ending('desync', 'state.ball.x is 0 here and 7 there', hud, [], METRICS);
  assert.equal(lead, 'The players’ games no longer agreed, so the game ended early.');
});

test('who won is said at the end of a whole game, and not of one that somebody left', () => {
  const hud = { num_episodes: 1, players: PLAYERS, score: [3, 1], outcome: { points: [3, 1], first: [0], by: 2 } };
  assert.equal(ending('complete', '', hud, [], METRICS).outcome, 'You won by 2 points, 3 to 1.');
  assert.equal(ending('player_left', '', hud, [], METRICS).outcome, '');
});
