/** The two halves of a tick, with a bridge by hand: what crosses into Python with each, and what only now and then. */

import { test } from 'node:test';
import assert from 'node:assert/strict';

/** A core whose clocks and whose visibility are set by hand. */
async function world(t) {
  const clock = { now: 5000, wall: 1e12 };
  t.mock.method(performance, 'now', () => clock.now);
  t.mock.method(Date, 'now', () => clock.wall);
  globalThis.document = { hidden: false };
  globalThis.window = globalThis;
  const { Core } = await import('../../../web/core/core.js');
  const calls = [];
  const made = [];
  const reports = [];
  const buffer = () => ({ getBuffer: () => ({ data: new Uint8Array(4096), release() {} }), destroy() {} });
  const proxy = {
    link_count: 0, inbox: buffer(), outbox: buffer(), view: { destroy() {} },
    poll: () => 16, advance: () => 0, send_failed: () => 16, outbox_length: () => 16,
    set_wall_ms: (...words) => void calls.push(words),
    set_socketio_rtt: () => {}, server_answered: (...words) => void calls.push(['answered', ...words]),
  };
  const socket = { connected: true, rtt: NaN, emit: () => true, onEvent: () => () => {}, takeProbes: () => [{ sent: 1, came: 2, server_ms: 3 }] };
  const core = new Core({
    create: (config) => {
      made.push(JSON.parse(config));
      return proxy;
    },
    environment: null, config: { game_id: 'g', player_id: 0 }, nudge: () => {},
    report: (where, error) => void reports.push([where, error.message]),
    socket,
  });
  /** Ticks for so many ms, in which a machine may sleep. */
  const run = (ms, slept = 0) => {
    clock.wall += slept;
    for (let passed = 0; passed < ms; passed += 25) {
      clock.now += 25;
      clock.wall += 25;
      core.sendInputToOtherPlayers(0);
    }
  };
  return { clock, calls, made, run, core, reports, socket, page: globalThis.document };
}

test('the wall clock is handed in once a second, and not with every tick', async (t) => {
  const { clock, calls, made, run } = await world(t);
  assert.deepEqual([made[0].now, made[0].wall_ms], [5, 1e12]);
  run(975);
  assert.deepEqual(calls, []);
  run(25);
  assert.deepEqual(calls, [[6, 1e12 + 1000]]);
  run(3000);
  assert.equal(calls.length, 4);
  // A second by the clock that went on while the machine slept, if one did.
  run(1000, 3_600_000);
  assert.deepEqual(calls[4], [clock.now / 1000, 1e12 + 5000 + 3_600_000]);
});

test('it is handed in at the first tick at which somebody looks at the page again', async (t) => {
  const { clock, calls, run, page } = await world(t);
  page.hidden = true;
  run(100);
  assert.deepEqual(calls, []);
  page.hidden = false;
  run(25, 60_000);
  assert.deepEqual(calls, [[clock.now / 1000, clock.wall]]);
  run(900);
  assert.equal(calls.length, 1);
});

test('what a probe of the server\'s clock gave is read by the wall clock as it is now', async (t) => {
  const { clock, calls, run, socket } = await world(t);
  run(100);
  socket.rtt = 0.02;
  run(25, 60_000);
  assert.deepEqual(calls, [[clock.now / 1000, clock.wall], ['answered', 1, 2, 3]]);
  run(500);
  assert.equal(calls.length, 2);
});

test('a chunk for a stream that is not open is reported, and the rest of the outbox is carried out', async (t) => {
  const { core, reports } = await world(t);
  const { bytes, words } = core.bridge.outbox;
  let at = 16;
  for (const size of [3, 5]) {
    words.setUint8(at, 5);
    words.setUint8(at + 1, 0);
    words.setUint16(at + 2, size, true);
    at += 8 + size;
  }
  assert.equal(bytes.length, 4096);
  core.carryOut(at);
  assert.deepEqual(reports, Array(2).fill(['game.stream', 'the stream of link 0 is not open']));
});

test('what came too large before the game began keeps it from nothing', async (t) => {
  const { core, reports } = await world(t);
  const heard = [];
  core.bridge.inbox.put = (_kind, _link, time, payload) => {
    if (payload.byteLength > 0xffff) throw new Error('too large');
    heard.push([time, JSON.parse(new TextDecoder().decode(payload)).event]);
  };
  core.catchUp([
    { event: 'webrtc_signal', data: { payload: 'x'.repeat(65_500) }, arrival: 1 }, { event: 'player_away', data: {}, arrival: 2 },
  ]);
  assert.deepEqual(heard, [[2, 'player_away']]);
  assert.deepEqual(reports, [['core.early', 'too large']]);
});
