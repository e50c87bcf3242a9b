/** From keys to actions. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { KeyState, DEFAULT_MAPPING, listenToKeys } from '../../../web/demo/keys.js';

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

test('s stands for the arrow down, and letters in capitals for themselves', () => {
  const keys = new KeyState({ ArrowDown: 4 });
  keys.press('KeyS', 'S');
  assert.equal(settle(keys), 4);
});

test('of three keys that are held the entry with most of them counts, and each release leaves the others', () => {
  const keys = new KeyState({ a: 'a', b: 'b', c: 'c', 'a,b': 'ab', 'a,b,c': 'abc' });
  for (const key of ['a', 'b', 'c']) keys.press(`Key${key.toUpperCase()}`, key);
  assert.equal(settle(keys), 'abc');
  keys.release('KeyC');
  assert.equal(keys.read(), 'ab');
  keys.release('KeyA');
  assert.equal(keys.read(), 'b');
  keys.release('KeyB');
  assert.equal(keys.read(), undefined);
});

test('two physical keys of one meaning: it is held until both are released', () => {
  const keys = state();
  keys.press('ArrowLeft', 'ArrowLeft');
  keys.press('Numpad4', 'ArrowLeft');
  keys.release('ArrowLeft');
  assert.equal(settle(keys), 1);
  keys.release('Numpad4');
  assert.equal(keys.read(), undefined);
});

test('on a keyboard of another script a letter is meant by its place, on a Latin one by what stands on it', () => {
  const keys = new KeyState({ w: 'up', q: 'no' });
  assert.equal(keys.press('KeyW', 'ц'), true);
  assert.equal(settle(keys), 'up');
  keys.release('KeyW');
  for (const [code, key] of [['KeyW', 'ς'], ['KeyW', 'ㅈ']]) {
    keys.press(code, key);
    assert.equal(settle(keys), 'up');
    keys.release(code);
  }
  // AZERTY: the key at W's place says z, and the one at Z's place w.
  assert.equal(keys.press('KeyW', 'z'), false);
  assert.equal(keys.press('KeyZ', 'w'), true);
  assert.equal(settle(keys), 'up');
  assert.equal(new KeyState({ ц: 1, w: 2 }).press('KeyW', 'ц'), true);
});

/** A window and a document that hear events, and what stands in them. */
function listening(mapping = DEFAULT_MAPPING, buttons = []) {
  globalThis.HTMLElement ??= class extends EventTarget {};
  globalThis.HTMLButtonElement ??= class extends globalThis.HTMLElement {};
  globalThis.window = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  const keys = new KeyState(mapping);
  const reports = [];
  const stop = listenToKeys(keys, buttons, (...given) => reports.push(given));
  const told = (type, key, more = {}) => {
    const event = Object.assign(new Event(type, { cancelable: true }), { code: key, key, ctrlKey: false, metaKey: false, altKey: false, ...more });
    window.dispatchEvent(event);
    return event.defaultPrevented;
  };
  return { keys, told, stop, reports };
}

test('keys of the game scroll no page, others are left to the browser', () => {
  const { keys, told, reports } = listening();
  assert.equal(told('keydown', 'ArrowUp'), true);
  assert.equal(told('keydown', 'PageDown'), false);
  assert.equal(told('keydown', 'ArrowLeft', { ctrlKey: true }), false);
  assert.equal(told('keydown', 'ArrowLeft', { altKey: true }), false);
  assert.equal(settle(keys), 3);
  told('keyup', 'ArrowUp');
  assert.equal(keys.read(), undefined);
  assert.deepEqual(reports, []);
});

test('who leaves the window while keys are down lets go of them, and a key that is held goes on when they are back', () => {
  const { keys, told } = listening();
  for (const leave of [() => window.dispatchEvent(new Event('blur')), () => { document.hidden = true; document.dispatchEvent(new Event('visibilitychange')); document.hidden = false; }]) {
    told('keydown', 'ArrowLeft');
    assert.equal(settle(keys), 1);
    leave();
    assert.equal(keys.read(), undefined);
    told('keydown', 'ArrowLeft', { repeat: true });
    assert.equal(settle(keys), 1);
    told('keyup', 'ArrowLeft');
  }
});

test('Command lets go of all keys: what is released meanwhile is told to nobody', () => {
  const { keys, told } = listening();
  told('keydown', 'ArrowLeft');
  told('keydown', 'Meta', { metaKey: true });
  told('keydown', 'ArrowLeft', { metaKey: true, repeat: true });
  assert.equal(keys.read(), undefined);
  told('keyup', 'Meta');
  assert.equal(keys.read(), undefined);
});

test('a touch button holds its key until the finger is gone, also when that is told by cancelling', () => {
  const button = Object.assign(new EventTarget(), {
    dataset: { key: 'ArrowRight' }, setPointerCapture() {}, held: new Set(),
    classList: { add: (name) => button.held.add(name), remove: (name) => button.held.delete(name) },
  });
  const { keys, stop } = listening(DEFAULT_MAPPING, [button]);
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    button.dispatchEvent(Object.assign(new Event('pointerdown', { cancelable: true }), { pointerId: 1 }));
    assert.deepEqual([settle(keys), keys.read(), [...button.held]], [2, 2, ['held']]);
    button.dispatchEvent(new Event(end));
    assert.deepEqual([keys.read(), [...button.held]], [undefined, []]);
  }
  button.dispatchEvent(Object.assign(new Event('pointerdown', { cancelable: true }), { pointerId: 1 }));
  stop();
  assert.equal(keys.read(), undefined);
});
