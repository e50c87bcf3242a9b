/** Our page's connection: nothing is emitted while it is down, and what is to be kept goes out when it is back. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Socket, changeWays } from '../../../web/core/socket.js';

test('what is to be kept goes out once, in order, behind what the page says at its return', () => {
  const handlers = new Map();
  const sent = [];
  const client = {
    connected: false,
    on: (event, f) => void handlers.set(event, f),
    onAny: () => {},
    emit: (event, data) => void sent.push([event, data]),
    timeout: () => ({ emit() {} }),
  };
  globalThis.window = { setTimeout: () => 0, clearTimeout: () => {} };
  const socket = new Socket(client, () => {});
  socket.onState((state) => {
    if (state === 'connected') socket.emit('join_game', 0);
  });
  assert.equal(socket.emit('pyodide_player_action', 1), false);
  assert.equal(socket.emit('p2p_connection_type', 2, true), true);
  assert.equal(socket.emit('p2p_connection_type', 3, true), true);
  assert.deepEqual(sent, []);
  client.connected = true;
  handlers.get('connect')();
  handlers.get('connect')();
  assert.deepEqual(sent, [['join_game', 0], ['p2p_connection_type', 2], ['p2p_connection_type', 3], ['join_game', 0]]);
});

test('a network that swallows WebSockets, or passes nothing by them, is tried the other way round the next time', () => {
  const emitter = () => {
    const heard = new Map();
    return { on: (event, f) => void heard.set(event, f), fire: (event, value) => heard.get(event)?.(value) };
  };
  const client = { ...emitter(), io: { ...emitter(), opts: { transports: ['websocket', 'polling'] } } };
  changeWays(client);
  const first = () => client.io.opts.transports[0];
  client.io.fire('error', new Error('websocket error'));
  assert.equal(first(), 'websocket', 'a refusal, or a server that is away, has tried both');
  client.io.fire('error', new Error('timeout'));
  assert.deepEqual(client.io.opts.transports, ['polling', 'websocket']);
  client.io.fire('error', new Error('timeout'));
  assert.equal(first(), 'websocket', 'requests may be what does not pass');
  client.io.fire('open');
  client.io.fire('close', 'ping timeout');
  assert.equal(first(), 'polling', 'it opened and the server said nothing');
  client.io.fire('open');
  client.fire('connect');
  client.io.fire('close', 'transport close');
  assert.equal(first(), 'polling', 'a connection that was good ends, and the way stays');
  client.io.fire('open');
  client.fire('connect_error', Object.assign(new Error('full'), { data: { code: 'full' } }));
  client.io.fire('close', 'forced close');
  assert.equal(first(), 'polling', 'a server that has no place has answered');
});

test('a page that goes says so by a request of its own, with both secrets by which the server knows it', () => {
  const sent = [];
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true, value: { sendBeacon: (...given) => sent.push(given) },
  });
  const client = { connected: false, on: () => {}, onAny: () => {}, emit: () => {}, timeout: () => ({ emit() {} }) };
  new Socket(client, () => {}, { session_id: 's', page: 'p' }).part(true);
  new Socket(client, () => {}).part(true);
  assert.deepEqual(sent, [['/api/parting', '{"session_id":"s","page":"p","leaves":true}']]);
  new Socket(client, () => {}, { session_id: 's', page: 'p' }, '/studies/one/').part(true);
  assert.equal(sent[1][0], '/studies/one/api/parting');
});

test('where beacons are switched off, or refused, a page that goes says so by a request that outlives it', () => {
  for (const own of [{}, { sendBeacon: () => false }]) {
    const asked = [];
    Object.defineProperty(globalThis, 'navigator', { configurable: true, value: own });
    globalThis.fetch = async (...given) => { asked.push(given); };
    const client = { connected: true, on() {}, onAny() {} };
    new Socket(client, () => {}, { session_id: 's', page: 'p' }).part(false);
    assert.deepEqual(asked, [['/api/parting', { method: 'POST', body: '{"session_id":"s","page":"p","leaves":false}', keepalive: true }]]);
  }
});

test('a server that has no place is asked again, and one that is away is left to socket.io', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  globalThis.window = globalThis;
  const handlers = new Map();
  const asked = [];
  const client = {
    connected: false, active: true, on: (event, f) => void handlers.set(event, f), onAny: () => {}, emit: () => {},
    timeout: () => ({ emit() {} }), connect: () => void asked.push('connect'), disconnect: () => {},
  };
  const socket = new Socket(client, (where, error) => assert.fail(`${where}: ${error}`));
  const states = [];
  socket.onState((...state) => void states.push(state));
  handlers.get('connect_error')(new Error('xhr poll error'));
  t.mock.timers.runAll();
  client.active = false;
  handlers.get('connect_error')(Object.assign(new Error('x'), { data: { code: 'server_full', message: 'full' } }));
  handlers.get('connect_error')(new Error('Invalid namespace'));
  assert.deepEqual(states, [['unreachable', 'xhr poll error'], ['refused', 'server_full'], ['refused', 'Invalid namespace']]);
  assert.deepEqual(asked, []);
  t.mock.timers.runAll();
  assert.deepEqual(asked, ['connect'], 'once, whatever it said meanwhile');
  handlers.get('connect_error')(new Error('Invalid namespace'));
  socket.close();
  t.mock.timers.runAll();
  assert.equal(asked.length, 1);
});

test('a connection that the server ended is made again after a while, and not by whom another one replaced', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  globalThis.window = globalThis;
  const handlers = new Map();
  const asked = [];
  let tell = (..._) => {};
  const client = {
    connected: false, active: false, on: (event, f) => void handlers.set(event, f), onAny: (f) => { tell = f; }, emit: () => {},
    timeout: () => ({ emit() {} }), connect: () => void asked.push('connect'), disconnect: () => {},
  };
  new Socket(client, (where, error) => assert.fail(`${where}: ${error}`));
  for (const reason of ['transport close', 'io client disconnect']) handlers.get('disconnect')(reason);
  t.mock.timers.runAll();
  assert.deepEqual(asked, [], 'that is for socket.io to do, or nobody');
  handlers.get('disconnect')('io server disconnect');
  assert.deepEqual(asked, []);
  t.mock.timers.runAll();
  assert.deepEqual(asked, ['connect']);
  handlers.get('connect')();
  tell('pycore_error', { code: 'replaced', event: 'join_game' });
  handlers.get('disconnect')('io server disconnect');
  t.mock.timers.tick(60_000);
  assert.deepEqual(asked, ['connect']);
});

test('what the server measures is sent back at once, and no page hears of it', () => {
  const [sent, heard] = [[], []];
  let tell = (..._) => {};
  const client = {
    connected: true, on: () => {}, onAny: (f) => { tell = f; }, emit: (event, data) => void sent.push([event, data]),
    timeout: () => ({ emit() {} }),
  };
  const socket = new Socket(client, (where, error) => assert.fail(`${where}: ${error}`));
  socket.onEvent((event) => void heard.push(event));
  tell('pycore_echo', {});
  tell('waiting_room', {});
  assert.deepEqual([sent, heard], [[['pycore_echo', {}]], ['waiting_room']]);
});

test('a probe of the server\'s clock says nothing behind a sleep, or a clock that was set, since it came', (t) => {
  const clock = { now: 5000, wall: 1e12 };
  t.mock.method(performance, 'now', () => clock.now);
  t.mock.method(Date, 'now', () => clock.wall);
  globalThis.window = { setTimeout: () => 0, clearTimeout: () => {} };
  const handlers = new Map();
  const asked = [];
  const client = {
    connected: true, on: (event, f) => void handlers.set(event, f), onAny: () => {}, emit: () => {},
    timeout: () => ({ emit: (_event, _data, reply) => void asked.push(reply) }),
  };
  const socket = new Socket(client, (where, error) => assert.fail(`${where}: ${error}`));
  const pass = (ms, wall = ms) => { clock.now += ms; clock.wall += wall; };
  const probed = () => {
    handlers.get('connect')();
    pass(20);
    asked.shift()(null, { time_ms: clock.wall - 10 + 7 });
  };
  for (const [gone, left] of [[0, 2], [60_000, 1], [-3000, 1]]) {
    probed();
    pass(1000);
    // A machine that sleeps, whose other clock may stand still; and a clock that is put right.
    pass(0, gone);
    probed();
    pass(500);
    assert.equal(socket.takeProbes().length, left, `${gone} ms`);
    assert.deepEqual(socket.takeProbes(), []);
  }
});
