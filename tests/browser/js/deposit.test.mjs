/** What of a session is handed over to be stored, and when. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Deposit } from '../../../web/demo/deposit.js';

/** A deposit of a session of one episode; what it hands over is in `kept`. */
function made() {
  const kept = [];
  const outbox = { hold: (...game) => kept.push(game), put: async (event, data) => void kept.push([event, data.episode, data.metrics]) };
  const game = {
    gameId: 'g', myPlayerId: 0, metrics: 'early',
    takeStores: (episode = null) => (episode === null ? [] : [['p2p_session_metrics', { episode, metrics: game.metrics }]]),
  };
  return { kept, game, deposit: new Deposit(game, outbox, 's', () => assert.fail('nothing fails')) };
}

test('what differs from another player is stored by itself only where everything else was stored before', () => {
  const { kept, game, deposit } = made();
  assert.deepEqual(kept.splice(0), [['g', 0]], 'what is kept of it is left alone by other windows');
  deposit.differences();
  assert.deepEqual(kept, []);
  deposit.session();
  const before = kept.length;
  assert.deepEqual(kept[before - 1], ['p2p_session_metrics', -1, 'early']);
  game.metrics = 'with the report';
  deposit.differences();
  assert.deepEqual(kept.slice(before), [['p2p_session_metrics', -1, 'with the report']]);
});
