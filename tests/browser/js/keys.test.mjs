/** From keys to actions. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { KeyState, DEFAULT_MAPPING } from '../../../web/demo/keys.js';

const state = (mode) => new KeyState(DEFAULT_MAPPING, mode);

/** Read twice: the first read also has what was tapped. */
function settle(keys) {
  keys.read();
  return keys.read();
}

test('no key is no action, a key is its action for as long as it is held', () => {
  const keys = state();
  assert.equal(keys.read(), undefined);
  keys.press('ArrowLeft', 'ArrowLeft');
  assert.deepEqual([keys.read(), keys.read(), keys.read()], [1, 1, 1]);
  keys.release('ArrowLeft');
  assert.equal(keys.read(), undefined);
});

test('keys held together are the composite action, in whichever order they were pressed', () => {
  for (const order of [['ArrowLeft', 'ArrowUp'], ['ArrowUp', 'ArrowLeft']]) {
    const keys = state();
    for (const key of order) keys.press(key, key);
    assert.equal(settle(keys), 4);
  }
});

test('of two opposite keys the later one counts, and the earlier one again after it', () => {
  const keys = state();
  keys.press('ArrowLeft', 'ArrowLeft');
  keys.press('ArrowRight', 'ArrowRight');
  assert.equal(settle(keys), 2);
  keys.release('ArrowRight');
  assert.equal(keys.read(), 1);
});

test('a tap shorter than a tick counts for exactly one tick', () => {
  const keys = state();
  keys.press('ArrowUp', 'ArrowUp');
  keys.release('ArrowUp');
  assert.deepEqual([keys.read(), keys.read()], [3, undefined]);
});

test('the key repeat of the keyboard is not a new tap', () => {
  const keys = state('single_keystroke');
  for (let i = 0; i < 5; i += 1) keys.press('ArrowUp', 'ArrowUp');
  assert.deepEqual([keys.read(), keys.read()], [3, undefined]);
});

test('releasing everything, as on blur and in a hidden page, leaves no action', () => {
  const keys = state();
  keys.press('ArrowLeft', 'ArrowLeft');
  keys.press('ArrowUp', 'ArrowUp');
  keys.releaseAll();
  assert.equal(keys.read(), undefined);
});

test('a key is released by its place on the keyboard, also when a modifier has changed its meaning', () => {
  const keys = new KeyState({ w: 'up' });
  keys.press('KeyW', 'w');
  assert.equal(settle(keys), 'up');
  keys.press('KeyW', 'W');
  keys.release('KeyW');
  assert.equal(keys.read(), undefined);
});

test('letters stand in for arrows unless the mapping uses them itself', () => {
  const keys = state();
  assert.equal(keys.press('KeyA', 'a'), true);
  assert.equal(settle(keys), 1);
  assert.equal(keys.press('KeyQ', 'q'), false);
  const own = new KeyState({ a: 7, ArrowLeft: 1 });
  own.press('KeyA', 'a');
  assert.equal(settle(own), 7);
});

test('comma and space can be keys of a mapping', () => {
  const keys = new KeyState({ ',': 1, ' ': 2 });
  keys.press('Comma', ',');
  assert.equal(settle(keys), 1);
  keys.releaseAll();
  keys.press('Space', ' ');
  assert.equal(settle(keys), 2);
});
