/** A page whose Python raised: what it still says, to whom, and when its links are closed. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { PycoreGame } from '../../../web/core/game.js';
import { PARTING } from '../../../web/core/handed.js';

/**
 * A game whose third `half` raises; `more` replaces methods of its bridge, `settled` says after how many polls behind it
 * the others know. Returns what was done, in order, once its links are closed.
 */
async function broken(t, { half = 'advance', settledAfter = 3, more = {} } = {}) {
  const clock = { now: 1000 };
  t.mock.method(performance, 'now', () => clock.now);
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
  globalThis.window = globalThis;
  const done = [];
  const words = new Uint8Array(4096);
  new DataView(words.buffer).setFloat64(0, 0.002, true);
  const inbox = new Uint8Array(4096);
  const buffer = (data) => ({ getBuffer: () => ({ data, release() {} }), destroy() {} });
  let calls = 0;
  let raised = false;
  let behind = 0;
  const raises = (name) => {
    clock.now += 100;
    if (name !== half || raised) return;
    calls += 1;
    if (calls < 3) return;
    raised = true;
    done.push(`${name} raises`);
    throw new Error('five');
  };
  const game = new PycoreGame({
    create: () => ({
      link_count: 0, inbox: buffer(inbox), outbox: buffer(words),
      view: { destroy() {}, hud: () => '{"players": []}', render: () => '', state: () => JSON.stringify({ settled: behind >= settledAfter }) },
      poll: (_now, action) => {
        raises('poll');
        if (raised) {
          behind += 1;
          done.push(`poll ${JSON.stringify(action)}, ${inbox[0] ? 'with' : 'without'} a server`);
        }
        return 16;
      },
      advance: () => {
        raises('advance');
        if (raised) done.push('advance');
        return 0;
      },
      broke: (_now, text) => {
        done.push(`broke: ${text}`);
        return 16;
      },
      send_failed: () => 16, outbox_length: () => 16, set_wall_ms() {}, close() {}, destroy() {}, ...more,
    }),
    environment: { destroy() {} }, config: { game_id: 'g', player_id: 0 },
    socket: { connected: true, rtt: NaN, emit: () => true, onEvent: () => () => {} },
    report: (where) => { if (where.startsWith('game.')) done.push('reported'); },
    readAction: () => 2, renderer: null,
    onFailed: () => void done.push(`failed, closed: ${game.failed}`),
    onParted: () => void done.push(`parted, closed: ${game.failed}`),
  });
  const close = game.channels.close.bind(game.channels);
  const closed = new Promise((resolve) => {
    game.channels.close = () => {
      close();
      resolve(clock.now);
    };
  });
  game.start();
  const began = clock.now;
  const took = (await closed) - began;
  const outcome = [game.outcome, game.failed];
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  game.close();
  return { done, outcome, took };
}

for (const half of ['poll', 'advance']) {
  test(`what ${half} raises is told to the others before the page leaves the game, and until they know it`, async (t) => {
    const { done, outcome } = await broken(t, { half });
    assert.deepEqual(done, [
      `${half} raises`, 'reported', 'broke: five', 'poll "", with a server', 'failed, closed: false',
      // Another server's page may have left the game already, and the server takes nothing from it.
      'poll "", without a server', 'poll "", without a server', 'parted, closed: true',
    ]);
    assert.deepEqual(outcome, ['failed', true]);
  });
}

test('others who never answer are told for a while', async (t) => {
  const { done, took } = await broken(t, { settledAfter: Infinity });
  assert.ok(done.length > 15, done);
  assert.ok(took / 1000 < PARTING.within_s + 1, took);
  assert.equal(done.filter((what) => what.startsWith('failed')).length, 1);
});

test('where Python is broken as a whole the links are closed at once, and the page is told why it began', async (t) => {
  const { done, outcome } = await broken(t, { more: { broke: () => { throw new Error('fatal'); } } });
  assert.deepEqual(done, ['advance raises', 'reported', 'reported', 'failed, closed: true', 'parted, closed: true']);
  assert.deepEqual(outcome, ['failed', true]);
});
