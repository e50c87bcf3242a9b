/** What the server says to somebody who waits for a game, and what of it ends the waiting. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import './english.mjs';

const element = () => ({ textContent: '', hidden: false, dataset: {} });
globalThis.window = /** @type {any} */ (Object.assign(new EventTarget(), { location: { search: '' } }));
globalThis.location = /** @type {any} */ ({ search: '' });
globalThis.document = /** @type {any} */ ({
  body: element(), documentElement: { lang: 'en', dataset: {} },
  getElementById: element, querySelector: () => null, querySelectorAll: () => [],
});
const { Asking } = await import('../../../web/demo/asking.js');
const { status } = await import('../../../web/demo/status.js');

/** Somebody who waits and is told an outcome: the phase behind it, and what the server was told. */
function told(outcome) {
  const sent = [];
  const asking = new Asking({ emit: (event) => sent.push(event) }, 's', (phase) => { status.phase = phase; });
  status.phase = 'waiting';
  asking.heard('outcome', outcome);
  return [status.phase, sent];
}

test('what an earlier game came to ends no waiting for the next one', () => {
  assert.deepEqual(told({ outcome: 'completed', waited_s: 1, next: null, game_id: 'g' }), ['waiting', []]);
});

test('who is sent on for an earlier game waits no more, and the server knows it', () => {
  assert.deepEqual(told({ outcome: 'completed', waited_s: 1, next: 'https://panel.test', game_id: 'g' }), ['over', ['leave_game']]);
});

test('who waited in vain waits no more, whether it is sent on or not', () => {
  for (const next of [null, 'https://panel.test']) {
    assert.deepEqual(told({ outcome: 'waited_in_vain', waited_s: 600, next, game_id: null }), ['over', []]);
  }
});
