/** What the end screen says of a game. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
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
  assert.deepEqual([lead, tiles, rounds], ['The session is complete.', [['You', '3'], ['Partner', '2']], []]);
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
});

test('an end that the page has no words for is told in those of Python, or by its code', () => {
  const hud = { num_episodes: 1, players: PLAYERS, score: null, rewards: null };
  assert.equal(ending('desync', 'the games differ', hud, [], METRICS).lead, 'The session ended early: the games differ');
  assert.equal(ending('desync', '', hud, [], METRICS).lead, 'The session ended early: desync');
});
