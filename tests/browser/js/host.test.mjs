/** The page's own connection: what waits for its return, what does not, and what is stored until it is. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Host } from '../../../web/interactive_gym/host.js';

/** A socket.io client by hand, timers by hand. */
function world(replies = []) {
  const timers = [];
  globalThis.window = { setTimeout: (f, ms) => timers.push({ f, ms }) };
  const handlers = new Map();
  const sent = [];
  const client = {
    connected: true,
    on: (event, f) => void handlers.set(event, [...(handlers.get(event) ?? []), f]),
    off: (event, f) => void handlers.set(event, (handlers.get(event) ?? []).filter((other) => other !== f)),
    emit: (event, data) => void sent.push([event, data]),
    timeout: () => ({
      emit(event, data, reply) {
        sent.push([event, data]);
        const answer = replies.shift();
        if (answer instanceof Error) reply(answer);
        else if (answer !== undefined) reply(null, answer);
      },
    }),
  };
  const reports = [];
  const host = new Host(client, (where, error) => reports.push([where, error]));
  const fire = (event, data) => (handlers.get(event) ?? []).forEach((f) => f(data));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { host, client, sent, timers, reports, fire, settle, handlers };
}

test('what is to be kept goes out after the page has registered, what is worthless later does not', () => {
  const { host, client, sent, timers, fire } = world();
  client.connected = false;
  assert.equal(host.emit('pyodide_player_action', 1), false);
  assert.equal(host.emit('webrtc_signal', 2), false);
  assert.equal(host.emit('participant_terminal_state', 3, true), true);
  assert.equal(host.emit('emit_multiplayer_metrics', 4, true), true);
  client.connected = true;
  fire('connect');
  assert.deepEqual(sent, []);
  assert.equal(timers.length, 1);
  assert.ok(timers[0].ms >= 100);
  timers[0].f();
  assert.deepEqual(sent, [['participant_terminal_state', 3], ['emit_multiplayer_metrics', 4]]);
  fire('connect');
  timers.at(-1).f();
  assert.equal(sent.length, 2);
});

test('data is sent again until the server says that it is stored, one, two and four seconds later', async () => {
  const { host, sent, timers, reports, settle } = world([new Error('late'), { status: 'error' }, new Error('late'), { status: 'ok' }]);
  const stored = host.store('emit_episode_data', { episode_num: 1 });
  assert.equal(host.unstored, 1);
  for (const ms of [1000, 2000, 4000]) {
    await settle();
    assert.equal(timers.at(-1).ms, ms);
    timers.at(-1).f();
  }
  await stored;
  assert.equal(sent.length, 4);
  assert.equal(reports.length, 3);
  assert.equal(host.unstored, 0);
});

test('what is to be stored goes one after the other, each when the one before is stored', async () => {
  const { host, client, sent, timers, settle } = world();
  const answers = [];
  const times = [];
  client.timeout = (ms) => ({ emit(event, data, reply) { sent.push(data.episode_num); times.push(ms); answers.push(reply); } });
  const data = 'x'.repeat(80_000);
  const all = ['1', '1.part2', '2'].map((name) => host.store('emit_episode_data', { episode_num: name, data }));
  await settle();
  assert.deepEqual([sent, host.unstored], [['1'], 3]);
  answers[0](new Error('late'));
  await settle();
  assert.deepEqual(sent, ['1'], 'nothing goes ahead of what is sent again');
  timers.pop().f();
  await settle();
  answers[1](null, { status: 'ok' });
  await settle();
  assert.deepEqual([sent, host.unstored], [['1', '1', '1.part2'], 2]);
  answers[2](null, { status: 'ok' });
  await settle();
  answers[3](null, { status: 'ok' });
  await Promise.all(all);
  assert.deepEqual([sent, host.unstored], [['1', '1', '1.part2', '2'], 0]);
  assert.ok(times.every((ms) => Math.abs(ms - times[0]) < 10), 'each has the time that one alone on the line takes');
});

test('listeners hear the events that were named, until they stop or the host closes', () => {
  const { host, fire, handlers } = world();
  const heard = [];
  const stop = host.onEvent((event, data) => heard.push([event, data]));
  fire('end_game', { a: 1 });
  fire('other', {});
  fire('end_game', undefined);
  assert.deepEqual(heard, [['end_game', { a: 1 }], ['end_game', {}]]);
  stop();
  fire('end_game', {});
  assert.equal(heard.length, 2);
  host.close();
  assert.ok([...handlers.values()].every((list) => list.length === 0));
});
