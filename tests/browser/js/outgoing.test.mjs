/** What goes out: never through socket.io's own buffer, and a request always has an answer or a reason. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Outgoing, pauseAfter } from '../../../web/core/outgoing.js';

/** A client by hand: `reply` answers the last request. */
function world(connected = true) {
  const client = {
    connected,
    sent: [],
    waits: [],
    reply: null,
    emit: (event, data) => void client.sent.push([event, data]),
    timeout: (ms) => ({
      emit(event, data, reply) {
        client.waits.push([ms, event, data]);
        client.reply = reply;
      },
    }),
  };
  return { client, out: new Outgoing(client, 5000, 1000) };
}

test('what is worthless later is refused while disconnected, what is to be kept goes out once, in order', () => {
  const { client, out } = world(false);
  assert.equal(out.emit('pyodide_player_action', 1), false);
  assert.equal(out.emit('p2p_connection_type', 2, true), true);
  assert.equal(out.emit('p2p_connection_type', 3, true), true);
  out.flush();
  assert.deepEqual(client.sent, []);
  client.connected = true;
  assert.equal(out.emit('join_game', 0, true), true);
  out.flush();
  out.flush();
  assert.deepEqual(client.sent, [['join_game', 0], ['p2p_connection_type', 2], ['p2p_connection_type', 3]]);
});

test('a request has the reply, or says that it was not acknowledged in time', async () => {
  const { client, out } = world();
  const first = out.request('pycore_records', { part: 0 });
  client.reply(null, { status: 'ok' });
  assert.deepEqual(await first, { status: 'ok' });
  assert.deepEqual(client.waits, [[5010, 'pycore_records', { part: 0 }]]);
  const second = out.request('pycore_records', { part: 1 });
  client.reply(new Error('operation has timed out'));
  await assert.rejects(second, { code: 'socket-timeout', message: 'pycore_records was not acknowledged within 5 s' });
});

test('what is large is waited for as long as it takes on a slow line, so that it is not sent again behind itself', async () => {
  const { client, out } = world();
  const sent = out.request('p2p_session_metrics', { packed: 'x'.repeat(400_000) });
  const [[patience]] = client.waits;
  assert.ok(patience >= 405_000 && patience < 406_000, String(patience));
  client.reply(null, { status: 'ok' });
  await sent;
});

test('binary data are waited for by their bytes, wherever they lie', async () => {
  const { client, out } = world();
  const bytes = Object.assign(new Uint8Array(20_000), { toJSON() { return [...this]; } });
  const data = { episode: 0, packed: [bytes, new ArrayBuffer(10_000)], some: new Uint8Array(new ArrayBuffer(9000), 0, 2000) };
  const sent = out.request('emit_episode_data', data);
  const [[patience]] = client.waits;
  assert.ok(patience >= 37_000 && patience < 37_100, String(patience));
  client.reply(null, { status: 'ok' });
  await sent;
});

test('a request without a connection is refused at once, and never goes out', async () => {
  const { client, out } = world(false);
  await assert.rejects(out.request('pycore_records', {}), { code: 'socket-disconnected' });
  client.connected = true;
  out.flush();
  assert.deepEqual([client.sent, client.waits], [[], []]);
});

test('after the last pause it is the last one again', () => {
  assert.deepEqual([1, 2, 3, 9].map((attempts) => pauseAfter([10, 20], attempts)), [10, 20, 20, 20]);
});
