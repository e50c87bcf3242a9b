/** What is loaded is asked for again while the server or the network has trouble, and then an error says what to do. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { get, patiently } from '../../../web/core/fetching.js';
import { LOADING } from '../../../web/core/handed.js';
import { load, loadPackages } from '../../../web/core/loader.js';
import { loadPagePolicies } from '../../../web/core/policies.js';

/** Answers by hand: a status, or an error; pauses are noted and do not last. */
function world(answers) {
  const pauses = [];
  globalThis.setTimeout = (f, ms) => {
    if (ms === LOADING.stalled_ms) return;
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

/** Files that come in pieces: each answer is a list of texts; null: nothing comes any more; an error: the line breaks. */
function lines(answers, { etag = () => 'one' } = {}) {
  const pauses = [];
  let stall = () => {};
  globalThis.setTimeout = (f, ms) => {
    if (ms === LOADING.stalled_ms) stall = f;
    else {
      pauses.push(ms);
      setImmediate(f);
    }
  };
  const ended = [];
  const asked = [];
  globalThis.fetch = async (url, { signal }) => {
    asked.push(url);
    const pieces = answers.shift();
    signal.addEventListener('abort', () => ended.push(asked.length));
    const body = new ReadableStream({
      async pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else if (piece === null) {
          setImmediate(() => stall());
          await new Promise(() => {});
        } else if (piece instanceof Error) throw piece;
        else controller.enqueue(new TextEncoder().encode(piece));
      },
    }, { highWaterMark: 0 });
    return new Response(body, { headers: { etag: etag(asked.length), 'content-type': 'application/wasm' } });
  };
  return { asked, pauses, ended };
}

test('a file that stops coming, or breaks off, is asked for anew, and whoever reads it notices nothing but the pause', async () => {
  const { asked, pauses, ended } = lines([['abc', 'de', null], ['ab', new TypeError('network error')], ['abcd', 'efg', 'h']]);
  const counts = [];
  const read = [];
  const type = await patiently(async () => {
    const response = await fetch('python.wasm');
    for await (const piece of response.body) read.push(new TextDecoder().decode(piece));
    return response.headers.get('content-type');
  }, (bytes) => counts.push(bytes));
  assert.deepEqual([read, counts], [['abc', 'de', 'fg', 'h'], [3, 5, 7, 8]]);
  assert.equal(type, 'application/wasm', 'it is compiled while it comes');
  assert.deepEqual([asked.length, pauses, ended], [3, [500, 1500], [1]]);
});

test('a file that never comes whole, or is another one meanwhile, is an error that the page has words for', async () => {
  lines([['a', null], ['a', null], ['a', null], ['a', null]]);
  await assert.rejects(get('x.whl', 'the core'), { code: 'load-network', message: /nothing came for 20 s/ });
  lines([['a', null], ['b']], { etag: (count) => `${count}` });
  await assert.rejects(get('x.whl', 'the core'), { code: 'load-network', message: /another file meanwhile/ });
});

test('what is sent is sent once, and whoever gives up is not asked to wait', async () => {
  const { asked, pauses } = world([new TypeError('no network')]);
  await patiently(async () => {
    await assert.rejects(fetch('/api', { method: 'POST' }));
    await assert.rejects(fetch('x', { signal: AbortSignal.abort() }));
  });
  assert.deepEqual([asked.length, pauses], [2, []]);
});

/** A Pyodide with these packages, whose micropip finds nothing. */
function pyodide(names) {
  const error = new Error("Traceback (most recent call last):\nValueError: Can't fetch metadata for 'numpy'\n");
  error.name = 'PythonError';
  return {
    lockfile: { packages: Object.fromEntries(names.map((name) => [name, {}])) },
    loadPackage: async (what, { errorCallback }) => {
      if (what === 'scipy') errorCallback('Failed to load scipy');
    },
    pyimport: () => ({ install: async () => { throw error; }, destroy: () => {} }),
  };
}

test('a package that neither Pyodide nor the index has is told with where it comes from', async () => {
  const loading = (name) => loadPackages(pyodide(['micropip', 'scipy']), [name], (url) => url, () => {});
  await assert.rejects(loading('numpy'), (error) => {
    assert.equal(error.code, 'load-package');
    assert.match(error.message, /^The package numpy could not be loaded: this Pyodide does not have it, and the package index/);
    assert.match(error.advice, /full release of Pyodide \(`--pyodide`\)/);
    return true;
  });
  await assert.rejects(loading('scipy'), (error) => {
    assert.equal(error.message, 'The package scipy could not be loaded: Failed to load scipy');
    assert.doesNotMatch(error.advice, /full release/);
    return true;
  });
});

test('a Pyodide that does not come is told with its address and the way out', async () => {
  globalThis.fetch = async () => ({ ok: true, status: 200, json: async () => ({ pyodide: { url: 'file:///nowhere' } }) });
  globalThis.performance.setResourceTimingBufferSize ??= () => {};
  globalThis.window = globalThis;
  await assert.rejects(load(() => {}, () => {}, 'file:///site/manifest.json'), (error) => {
    assert.equal(error.code, 'load-pyodide');
    assert.match(error.message, /^Pyodide could not be loaded from file:\/\/\/nowhere\/: /);
    assert.match(error.advice, /--pyodide DIR/);
    return true;
  });
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

test('a policy that does not come at all is asked for as often as anything else', async () => {
  const { asked } = world(Array(40).fill(503));
  await assert.rejects(loadPagePolicies({ 1: module('') }, as), { code: 'load-policy' });
  assert.equal(asked.length, LOADING.pauses_ms.length + 1);
});

test('a policy that does not come at once, or its weights, are asked for again', async () => {
  const { asked, pauses } = world([new TypeError('no network'), 200, 503, 200]);
  const net = module('export async function makePolicy() { const { status } = await fetch("weights.json"); return () => status; }');
  await loadPagePolicies({ 1: net }, as);
  assert.deepEqual(asked, [net, net, 'weights.json', 'weights.json']);
  assert.equal(globalThis.pycorePolicies[1](), 200);
  assert.equal(pauses.filter((ms) => LOADING.pauses_ms.includes(ms)).length, 2);
  delete globalThis.pycorePolicies;
});
