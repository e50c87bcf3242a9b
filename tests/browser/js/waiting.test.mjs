/** Waiting for a game: when it is asked for again, and how long it was. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import './english.mjs';

const element = () => ({ hidden: false, textContent: '', dataset: {}, style: { setProperty: () => {} }, focus: () => {}, replaceChildren: () => {} });
const elements = new Map();
globalThis.window = globalThis;
globalThis.location = { search: '' };
globalThis.document = {
  getElementById: (id) => elements.get(id) ?? elements.set(id, element()).get(id),
  createElement: element, querySelector: () => null, querySelectorAll: () => [], body: element(), documentElement: element(),
};
const { Asking } = await import('../../../web/demo/asking.js');
const { status } = await import('../../../web/demo/status.js');
const { RETURNING } = await import('../../../web/demo/handed.js');

function waiting() {
  const sent = [];
  const asking = new Asking({ emit: (event, data) => { sent.push([event, data]); return true; } }, 's', (phase) => { status.phase = phase; });
  asking.begin({});
  return { asking, sent };
}

test('where no process of a server answers, it is asked again a moment later', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { asking, sent } = waiting();
  assert.equal(asking.refused({ event: 'join_game', code: 'store_failed', message: 'no process answers' }), true);
  assert.equal(elements.get('notice').hidden, false);
  t.mock.timers.tick(RETURNING.again_ms);
  assert.deepEqual(sent.map(([event]) => event), ['join_game', 'join_game']);
  assert.equal(asking.refused({ event: 'join_game', code: 'not_invited', message: 'no' }), false);
  assert.equal(asking.refused({ event: 'p2p_session_metrics', code: 'store_failed', message: 'of another game' }), false);
  status.phase = 'start';
});

test('who waited while the clock was set back, or the machine slept, waited for as long as it was', (t) => {
  const clock = { now: 5000, wall: 1e12 };
  t.mock.method(performance, 'now', () => clock.now);
  t.mock.method(Date, 'now', () => clock.wall);
  const waited = (ms, wall) => {
    const { asking } = waiting();
    clock.now += ms;
    clock.wall += wall;
    return clock.wall - asking.since;
  };
  assert.deepEqual([waited(60_000, 60_000), waited(60_000, -3_600_000), waited(2000, 600_000)], [60_000, 60_000, 600_000]);
  assert.equal(new Asking({ emit: () => true }, 's', () => {}).since, 0);
  const { asking } = waiting();
  const first = asking.since;
  clock.now += 5000;
  clock.wall += 5000;
  asking.begin({ unbegun: 'g' });
  assert.equal(asking.since, first, 'a game that did not begin ends no waiting');
  asking.begin({});
  assert.equal(asking.since, first + 5000);
  status.phase = 'start';
});

test('the time that is left to wait is no other where the clock is set', (t) => {
  const clock = { now: 5000, wall: 1e12 };
  t.mock.method(performance, 'now', () => clock.now);
  t.mock.method(Date, 'now', () => clock.wall);
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { asking } = waiting();
  asking.heard('waiting_room', { cur_num_players: 1, players_needed: 1, ms_remaining: 60_000 });
  clock.now += 1000;
  clock.wall -= 3_600_000;
  t.mock.timers.tick(1000);
  assert.equal(elements.get('waiting-time').textContent, 'Time left to wait: 0:59');
  status.phase = 'start';
});
