/** The question before somebody leaves. */

import { test } from 'node:test';
import assert from 'node:assert/strict';

globalThis.window = new EventTarget();
globalThis.location = { reloads: 0, reload() { this.reloads += 1; } };
const { askBeforeLeaving, asks, reload } = await import('../../../web/demo/leaving.js');
const { status } = await import('../../../web/demo/status.js');

test('it is asked while others play with this person, and while the server lacks something', () => {
  const asking = ['loading', 'start', 'waiting', 'asked', 'returning', 'connecting', 'playing', 'between', 'done', 'over', 'failed']
    .filter((phase) => asks({ phase, pending: 0 }));
  assert.deepEqual(asking, ['connecting', 'playing', 'between']);
  assert.equal(asks({ phase: 'done', pending: 1 }), true);
  assert.equal(asks({ phase: 'failed', pending: 1 }), true);
  assert.equal(asks({ phase: 'done', pending: 2, refused: 2 }), false, 'nobody waits for what the server never takes');
  assert.equal(asks({ phase: 'start', pending: 1 }), false, 'what an earlier visit left is kept');
});

test('the browser asks, unless it is the page itself that loads again', () => {
  askBeforeLeaving();
  const left = () => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }));
  assert.equal(left(), false);
  status.phase = 'playing';
  assert.equal(left(), true);
  const shown = (persisted) => window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }));
  shown(false);
  assert.deepEqual([left(), location.reloads], [true, 0]);
  shown(true);
  assert.deepEqual([left(), location.reloads], [false, 1], 'of one that comes back from the cache, too');
  reload();
  assert.equal(location.reloads, 2);
});
