/** The page's server gets every call of the console, which takes longer than a rollback: one for a tick, behind it. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Log } from '../../../web/interactive_gym/log.js';

/** @param {import('node:test').TestContext} t @returns {[string, string][]} what the console is told */
function heard(t) {
  const said = /** @type {[string, string][]} */ ([]);
  for (const level of /** @type {const} */ (['info', 'warn', 'error'])) {
    t.mock.method(console, level, (/** @type {string} */ text) => void said.push([level, text]));
  }
  t.mock.timers.enable({ apis: ['setTimeout'] });
  return said;
}

test('the lines of a tick are one call, when the page has what the tick gave it', async (t) => {
  const said = heard(t);
  const log = new Log();
  log.say('info', 'one');
  log.say('info', 'two');
  await Promise.resolve();
  assert.deepEqual(said, []);
  t.mock.timers.runAll();
  assert.deepEqual(said, [['info', 'one\ntwo']]);
  log.say('info', 'three');
  t.mock.timers.runAll();
  assert.deepEqual(said.slice(1), [['info', 'three']]);
});

test('warnings and errors are told at once, behind what was said before them', (t) => {
  const said = heard(t);
  const log = new Log();
  log.say('info', 'one');
  log.say('warning', 'careful');
  log.say('info', 'two');
  log.say('error', 'broken');
  assert.deepEqual(said, [['info', 'one'], ['warn', 'careful'], ['info', 'two'], ['error', 'broken']]);
  t.mock.timers.runAll();
  assert.equal(said.length, 4);
});
