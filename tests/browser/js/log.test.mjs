/** The page's server gets every call of the console: what belongs to one tick is one call. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Log } from '../../../web/interactive_gym/log.js';

test('the lines of a tick are one call, warnings and errors are their own', async (t) => {
  const said = [];
  for (const level of ['info', 'warn', 'error']) t.mock.method(console, level, (text) => void said.push([level, text]));
  const log = new Log();
  log.say('info', 'one');
  log.say('warning', 'careful');
  log.say('info', 'two');
  log.say('error', 'broken');
  await Promise.resolve();
  log.say('info', 'three');
  await Promise.resolve();
  assert.deepEqual(said, [['warn', 'careful'], ['error', 'broken'], ['info', 'one\ntwo'], ['info', 'three']]);
});
