/** What is stored is packed where that pays, and is the same text unpacked. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { inflateSync } from 'node:zlib';
import { packed } from '../../../web/core/packing.js';
import { PACKING } from '../../../web/core/handed.js';

const unpacked = (text) => inflateSync(Buffer.from(text, 'base64')).toString();

test('a text of many like lines becomes a tenth, and everything else of the payload stays', async () => {
  const data = Array.from({ length: 500 }, (_, frame) => `{"actions":[0,1],"frame":${frame},"what":"ä😀"}\n`).join('');
  const { packed: small, ...rest } = await packed({ game_id: 'g', first: 3, data });
  assert.deepEqual(rest, { game_id: 'g', first: 3 });
  assert.equal(unpacked(small), data);
  assert.ok(small.length < data.length / 5, `${small.length} of ${data.length}`);
});

test('an object of metrics is packed as its JSON', async () => {
  const metrics = { a: Array.from({ length: 1000 }, () => ({ b: 1 })) };
  const { packed: small, ...rest } = await packed({ episode: 0, so_far: true, metrics });
  assert.deepEqual(rest, { episode: 0, so_far: true });
  assert.deepEqual(JSON.parse(unpacked(small)), metrics);
});

test('what is short, what does not get shorter, and what has no text goes as it is', async () => {
  const noise = Array.from({ length: 2000 }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join('');
  for (const payload of [{ data: 'x'.repeat(PACKING.from_characters - 1) }, { data: noise }, { data: '' }, { p2p: 1 }]) {
    assert.equal(await packed(payload), payload);
  }
});

test('a browser that cannot pack sends the text', async () => {
  const { CompressionStream } = globalThis;
  try {
    globalThis.CompressionStream = undefined;
    const payload = { data: 'x'.repeat(5000) };
    assert.equal(await packed(payload), payload);
  } finally {
    globalThis.CompressionStream = CompressionStream;
  }
});
