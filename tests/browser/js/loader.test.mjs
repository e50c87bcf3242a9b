/** What is loaded is asked for again while the server or the network has trouble, and then an error says what to do. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { get, loadPagePolicies } from '../../../web/core/loader.js';

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

const module = (source) => `data:text/javascript,${encodeURIComponent(source)}`;
const as = (url) => url;

test('policies that one page computes are made by their modules, beside those that the page has', async () => {
  const own = () => 1;
  globalThis.pycorePolicies = { 2: own };
  await loadPagePolicies({
    1: module('export const makePolicy = async () => (seen, frame) => seen + frame;'),
    2: module('export const makePolicy = () => () => 7;'),
  }, as);
  assert.equal(globalThis.pycorePolicies[1](4, 3), 7);
  assert.equal(globalThis.pycorePolicies[2], own);
  delete globalThis.pycorePolicies;
  await loadPagePolicies({}, as);
  assert.equal(globalThis.pycorePolicies, undefined);
});

test('a module that makes no policy is an error that says whose', async () => {
  for (const source of ['export const other = 1;', 'throw new Error("no network of nerves");', 'export const makePolicy = () => 3;']) {
    await assert.rejects(loadPagePolicies({ 4: module(source) }, as), { code: 'load-policy', message: /policy of player 4/ });
  }
  await assert.rejects(loadPagePolicies({ 4: module('throw new Error("no network of nerves");') }, as), { message: /no network of nerves/ });
});
