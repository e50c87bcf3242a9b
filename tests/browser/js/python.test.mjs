/** Python in the host page: no environment before it is there, none used twice, and one made after the other. */

import { test } from 'node:test';
import assert from 'node:assert/strict';

globalThis.window = globalThis;
const { PagePython } = await import('../../../web/interactive_gym/python.js');

/** As the page's: a face whose environment is made by hand, and Python that is there when it is said. */
function world(t) {
  t.mock.method(globalThis, 'fetch', async () => new Response('{"version": "1"}'));
  const made = [];
  const waiting = [];
  const face = {
    pyodideReady: true,
    pyodide: {
      globals: { get: () => made.at(-1) }, runPython: (text) => (text.includes('find_spec') ? true : '1'),
      pyimport: () => ({ create: { copy: () => () => {} }, destroy: () => {} }),
    },
  };
  const make = async (config) => {
    await new Promise((resolve) => waiting.push(resolve));
    face.config = config;
    made.push(config.scene_id);
  };
  return { python: new PagePython(face, make, (error) => assert.fail(error)), made, waiting };
}

const settled = () => new Promise((resolve) => { setImmediate(resolve); });

test('of two scenes that are activated at once the environment is that of the last one', async (t) => {
  const { python, made, waiting } = world(t);
  const both = [python.make({ scene_id: 'one' }), python.make({ scene_id: 'two' })];
  await settled();
  assert.equal(waiting.length, 0, 'not before Python is there');
  await python.load(Promise.resolve());
  await settled();
  // The first one takes longer, as one that installs packages does.
  while (waiting.length > 0) {
    waiting.pop()();
    await settled();
  }
  await Promise.all(both);
  assert.deepEqual(made, ['one', 'two']);
  await python.settled();
  assert.equal(python.take(), 'two');
});

test('who asks for an environment while it is made anew waits for that one', async (t) => {
  const { python, made, waiting } = world(t);
  await python.load(Promise.resolve());
  const making = python.make({ scene_id: 'one' });
  await settled();
  waiting.pop()();
  await making;
  python.take();
  const seen = [];
  const both = Promise.all([1, 2].map(() => python.settled().then(() => seen.push(made.length))));
  await settled();
  assert.deepEqual([waiting.length, seen], [1, []]);
  waiting.pop()();
  await both;
  assert.deepEqual([made, seen], [['one', 'one'], [2, 2]]);
});
