/** What is loaded is asked for again while the server or the network has trouble, and then an error says what to do. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { get } from '../../../web/core/loader.js';

/** Answers by hand: a status, or an error; pauses are noted and do not last. */
function world(answers) {
  const pauses = [];
  globalThis.setTimeout = (f, ms) => {
    pauses.push(ms);
    setImmediate(f);
  };
  const asked = [];
  globalThis.fetch = async (url) => {
    asked.push(url);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    return { status: answer, ok: answer < 400 };
  };
  console.warn = () => {};
  return { asked, pauses };
}

test('a moment of trouble is waited out', async () => {
  const { asked, pauses } = world([new TypeError('no network'), 503, 200]);
  assert.equal((await get('x.whl', 'the core')).status, 200);
  assert.equal(asked.length, 3);
  assert.deepEqual(pauses, [500, 1500]);
});

test('what is not there is not asked for again', async () => {
  const { asked } = world([404]);
  await assert.rejects(get('x.whl', 'the core'), { code: 'load-status', message: /the core .*404/ });
  assert.equal(asked.length, 1);
});

test('trouble that stays is an error with the way out', async () => {
  const { asked, pauses } = world([new TypeError('no network')]);
  await assert.rejects(get('x.whl', 'the core'), { code: 'load-network', message: /the core could not be loaded from x.whl/ });
  assert.equal(asked.length, 4);
  assert.deepEqual(pauses, [500, 1500, 4000]);
  world([502]);
  await assert.rejects(get('x.whl', 'the core'), { code: 'load-status' });
});
