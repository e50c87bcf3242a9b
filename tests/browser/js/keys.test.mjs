/** From keys to actions. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { gamepadKeys, heldOf } from '../../../web/demo/gamepad.js';
import { KeyState, DEFAULT_MAPPING, keysOf, listenToKeys } from '../../../web/demo/keys.js';
import { keyMeaning, singleKeys } from '../../../web/demo/screens.js';

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

test('a letter that a layout has nowhere is meant by its place, whatever is written there', () => {
  const written = {
    'Hebrew w': ['KeyW', "'", 'w'], 'Hebrew q': ['KeyQ', '/', 'q'], 'Greek q': ['KeyQ', ';', 'q'],
    'Arabic b': ['KeyB', '\u0644\u0627', 'b'], 'Azerbaijani w': ['KeyW', 'ü', 'w'], 'Lithuanian q': ['KeyQ', 'ą', 'q'],
    'Lithuanian w': ['KeyW', 'Ž', 'w'], 'Turkish i': ['KeyI', 'ı', 'i'], 'a dead key': ['KeyW', 'Dead', 'w'],
  };
  for (const [name, [code, key, meant]] of Object.entries(written)) {
    const keys = new KeyState({ [meant]: 'it' });
    assert.equal(keys.press(code, key), true, name);
    assert.equal(settle(keys), 'it', name);
  }
});

test('what is written at a place counts before the place, and a letter of a Latin layout or a named key alone', () => {
  const own = new KeyState({ ü: 'own', w: 'up' });
  own.press('KeyW', 'ü');
  assert.equal(settle(own), 'own');
  const keys = new KeyState({ y: 1, q: 2, w: 3, ' ': 4, 1: 5 });
  for (const [code, key] of [['KeyY', 'z'], ['KeyQ', 'a'], ['KeyW', 'Z'], ['KeyW', 'ArrowUp'], ['Digit1', 'F1'], ['Space', 'Enter']]) {
    assert.equal(keys.press(code, key), false, `${code} ${key}`);
  }
});

test('the space bar is the space bar, also behind an input method and where it writes another space', () => {
  for (const key of [' ', 'Process', 'Unidentified', '\u3000', '\u00a0']) {
    const keys = new KeyState({ ' ': 'fire' });
    assert.equal(keys.press('Space', key), true, JSON.stringify(key));
    assert.equal(settle(keys), 'fire', JSON.stringify(key));
  }
  const jump = state();
  jump.press('Space', 'Process');
  assert.equal(settle(jump), 3, 'it stands for the arrow up as ever');
});

test('blanks and capitals in a mapping change nothing', () => {
  const keys = new KeyState({ ArrowLeft: 1, 'ArrowLeft,  ArrowUp ': 4, ' W , A': 5 });
  for (const key of ['ArrowLeft', 'ArrowUp']) keys.press(key, key);
  assert.equal(settle(keys), 4);
  assert.deepEqual(['ArrowLeft, ArrowUp', ' W , A', ',', ' ', 'Enter'].map(keysOf), [['ArrowLeft', 'ArrowUp'], ['w', 'a'], [','], [' '], ['Enter']]);
  // What is shown of it, as help and as touch buttons.
  assert.deepEqual(singleKeys({ ArrowLeft: 1, 'ArrowLeft,  ArrowUp ': 4, A: 5, 'a, Gamepad:0': 6 }), ['ArrowLeft', 'ArrowUp', 'a']);
  assert.equal(keyMeaning('a', { A: 'aim' }), 'aim');
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
    const event = Object.assign(new Event(type, { cancelable: true }), { code: key, key, ctrlKey: false, metaKey: false, altKey: false, getModifierState: () => false, ...more });
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

test('AltGr, which is Control and Alt to some systems, is a way to a key and no command', () => {
  const { keys, told } = listening({ '[': 1 });
  const more = { code: 'Digit8', ctrlKey: true, altKey: true };
  assert.equal(told('keydown', '[', { ...more, getModifierState: (name) => name === 'AltGraph' }), true);
  assert.equal(settle(keys), 1);
  told('keyup', '[', more);
  assert.equal(keys.read(), undefined);
  assert.equal(told('keydown', '[', more), false);
});

test('Turkish capitals mean the letter that they are capitals of', () => {
  const keys = new KeyState({ i: 1 });
  keys.press('Quote', 'İ');
  assert.equal(settle(keys), 1);
});

test('a question or a menu of the browser, which hear of releases in the place of the page, let go of all keys', () => {
  const { keys, told, reports } = listening();
  const menu = (more = {}) => Object.assign(new Event('contextmenu', { cancelable: true }), { pointerType: 'mouse', ...more });
  for (const event of [new Event('beforeunload'), menu()]) {
    told('keydown', 'ArrowLeft');
    assert.equal(settle(keys), 1);
    window.dispatchEvent(event);
    assert.equal(keys.read(), undefined);
    told('keyup', 'ArrowLeft');
  }
  // A thumb that rests on the field opens none that takes the other thumb's button away.
  const unseen = menu();
  unseen.preventDefault();
  for (const event of [menu({ pointerType: 'touch' }), unseen]) {
    told('keydown', 'ArrowLeft');
    window.dispatchEvent(event);
    assert.equal(settle(keys), 1);
  }
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

/** A touch button, and fingers that are put on it, slide and go. */
function touchButton(key) {
  const button = Object.assign(new EventTarget(), {
    dataset: { key }, setPointerCapture() {}, contains: (other) => other === button, held: new Set(),
    classList: { add: (name) => button.held.add(name), remove: (name) => button.held.delete(name) },
    finger: (type, pointerId, more = {}) => button.dispatchEvent(Object.assign(new Event(type, { cancelable: true }), { pointerId, ...more })),
  });
  return button;
}

test('a thumb that slides to the next touch button takes that one, and between the two it keeps the first', () => {
  const [left, right] = ['ArrowLeft', 'ArrowRight'].map(touchButton);
  const { keys, reports } = listening(DEFAULT_MAPPING, [left, right]);
  let below = left;
  document.elementFromPoint = () => below;
  left.finger('pointerdown', 1);
  assert.equal(settle(keys), 1);
  below = null;
  left.finger('pointermove', 1);
  assert.equal(keys.read(), 1);
  below = right;
  left.finger('pointermove', 1);
  assert.deepEqual([settle(keys), [...left.held], [...right.held]], [2, [], ['held']]);
  left.finger('pointermove', 2);
  assert.equal(keys.read(), 2, 'a mouse that only passes by holds nothing');
  left.finger('pointerup', 1);
  assert.deepEqual([keys.read(), [...right.held]], [undefined, []]);
  assert.deepEqual(reports, []);
});

test('two fingers on one touch button hold it until both are gone', () => {
  const jump = touchButton('ArrowUp');
  const { keys } = listening(DEFAULT_MAPPING, [jump]);
  jump.finger('pointerdown', 1);
  jump.finger('pointerdown', 2);
  jump.finger('pointerup', 1);
  assert.deepEqual([settle(keys), [...jump.held]], [3, ['held']]);
  jump.finger('pointerup', 2);
  assert.deepEqual([keys.read(), [...jump.held]], [undefined, []]);
});

test('the repeat of a key that is held when the window has the focus again is no press', () => {
  const keys = new KeyState(DEFAULT_MAPPING, 'single_keystroke');
  keys.press('ArrowUp', 'ArrowUp');
  keys.read();
  keys.releaseAll();
  keys.press('ArrowUp', 'ArrowUp', true);
  assert.equal(keys.read(), undefined);
  keys.release('ArrowUp');
  keys.press('ArrowUp', 'ArrowUp');
  assert.equal(keys.read(), 3);
});

test('the release of Command lets go of all keys, also of those that were pressed under it unseen', () => {
  const { keys, told } = listening();
  told('keydown', 'ArrowLeft');
  told('keyup', 'Meta', { metaKey: false });
  assert.equal(keys.read(), undefined);
});

test('behind an input method a letter is meant by its place, as is a digit that takes Shift', () => {
  const keys = new KeyState({ w: 'up', 1: 'one', '/': 'slash' });
  assert.equal(keys.press('KeyW', 'Process'), true);
  assert.equal(settle(keys), 'up');
  keys.releaseAll();
  for (const [code, key] of [['Digit1', '&'], ['Digit1', '+'], ['Digit1', '!']]) {
    keys.press(code, key);
    assert.equal(settle(keys), 'one', key);
    keys.release(code);
  }
  assert.equal(keys.press('Slash', '.'), false, 'on a Latin layout it is somewhere');
  assert.equal(keys.press('Slash', 'ю'), true);
});

test('a gamepad is held by what the mapping names of it, and is not asked where it names nothing', () => {
  let asked = 0;
  let pads = [];
  const ask = () => { asked += 1; return heldOf(pads); };
  const keys = new KeyState({ 'Gamepad:0': 'jump', 'Gamepad:LeftX-': 'left', 'Gamepad:LeftX-,Gamepad:0': 'both', ArrowUp: 'jump' }, 'pressed_keys', ask);
  const pad = (buttons, ...axes) => gamepad(buttons, axes);
  assert.equal(keys.read(), undefined);
  pads = [null, pad([true], 0, 0)];
  assert.deepEqual([keys.read(), keys.read()], ['jump', 'jump']);
  pads = [null, pad([true], -0.7, 0.2)];
  assert.equal(keys.read(), 'both');
  pads = [null, pad([false], -0.3, 1)];
  assert.equal(keys.read(), undefined, 'a stick that is hardly moved is not held');
  assert.equal(asked, 5);
  const others = new KeyState(DEFAULT_MAPPING, 'pressed_keys', ask);
  others.read();
  assert.equal(asked, 5);
});

const JUMP = { ArrowUp: 'jump', 'Gamepad:0': 'jump', 'Gamepad:LeftX-': 'left', 'Gamepad:RightX-': 'turn' };
/** A gamepad as a browser gives it. */
const gamepad = (buttons, axes, mapping = 'standard', id = 'a pad') => ({ index: 0, id, mapping, axes, buttons: buttons.map((pressed) => ({ pressed })) });

test('a page that may not ask for gamepads is played by its keys, and that is told once', () => {
  const reports = [];
  const refused = () => { throw new DOMException('by the permissions policy', 'SecurityError'); };
  const keys = new KeyState(JUMP, 'pressed_keys', refused, (where, error) => reports.push([where, error.name]));
  keys.press('ArrowUp', 'ArrowUp');
  assert.deepEqual([keys.read(), keys.read(), keys.read()], ['jump', 'jump', 'jump']);
  assert.deepEqual(reports, [['keys.gamepad', 'SecurityError']]);
});

test('what rests at an end of a gamepad that the browser does not know is no stick, and its first stick plays', () => {
  const told = (pad) => [...heldOf([pad])];
  // As a trigger does that was not pulled yet, and one that was.
  assert.deepEqual(told(gamepad([false], [0, 0, 0, 0], '')), []);
  assert.deepEqual(told(gamepad([false], [0, 0, -1, -1], '')), []);
  assert.deepEqual(told(gamepad([false], [-0.9, 0, -1, -1], '')), ['Gamepad:LeftX-']);
  assert.deepEqual(told(gamepad([true], [0, 0, -1, -1], '')), ['Gamepad:0']);
  // Pedals, which pass their middle when they are pressed.
  for (const axes of [[-1, 0], [0, 0], [-1, 0]]) assert.deepEqual(told(gamepad([], axes, '', 'pedals')), []);
  heldOf([]);
  assert.deepEqual(told(gamepad([], [0, 0], '', 'pedals')), [], 'plugged in anew');
  assert.deepEqual(told(gamepad([], [-1, 0], '', 'pedals')), ['Gamepad:LeftX-']);
  assert.deepEqual(told(gamepad([], [0, 0, -1])), ['Gamepad:RightX-'], 'a known one has all its sticks');
});

test('a gamepad that is plugged in during the game plays, and one that is taken away lets go', () => {
  let pads = [];
  const keys = new KeyState(JUMP, 'pressed_keys', () => heldOf(pads));
  assert.equal(keys.read(), undefined);
  pads = [gamepad([true], [0, 0])];
  assert.deepEqual([keys.read(), keys.read()], ['jump', 'jump']);
  pads = [null];
  assert.equal(keys.read(), undefined);
});

test('a gamepad is let go of while another window has the focus, and what is still held afterwards is no press', () => {
  let focus = true;
  let pads = [gamepad([true], [0, 0])];
  Object.defineProperty(globalThis, 'navigator', { value: { getGamepads: () => pads }, configurable: true });
  globalThis.document = { hasFocus: () => focus };
  for (const [mode, after] of [['pressed_keys', 'jump'], ['single_keystroke', undefined]]) {
    const keys = new KeyState(JUMP, mode);
    assert.equal(keys.read(), 'jump');
    focus = false;
    assert.equal(keys.read(), undefined);
    focus = true;
    assert.equal(keys.read(), after, mode);
    keys.releaseAll();
    assert.equal(keys.read(), after, `${mode}, after a menu of the browser's`);
    pads = [gamepad([false], [0, 0])];
    assert.equal(keys.read(), undefined);
    pads = [gamepad([true], [0, 0])];
    assert.equal(keys.read(), 'jump', 'a new press is one');
  }
  assert.equal(gamepadKeys().size, 1);
});

test('a touch button that is pressed without a finger is a tap, and the click that ends a touch is none', () => {
  const button = touchButton('ArrowRight');
  const { keys, reports } = listening(DEFAULT_MAPPING, [button]);
  const click = (detail) => button.dispatchEvent(Object.assign(new Event('click'), { detail }));
  click(0);
  assert.deepEqual([keys.read(), keys.read(), [...button.held]], [2, undefined, []]);
  button.finger('pointerdown', 1);
  button.finger('pointerup', 1);
  assert.equal(keys.read(), 2);
  click(1);
  assert.equal(keys.read(), undefined);
  assert.deepEqual(reports, []);
});

test('a touch button is held although its finger cannot be followed', () => {
  const button = touchButton('ArrowRight');
  button.setPointerCapture = () => { throw new DOMException('no such pointer', 'NotFoundError'); };
  const { keys } = listening(DEFAULT_MAPPING, [button]);
  button.finger('pointerdown', 1);
  assert.deepEqual([keys.read(), keys.read()], [2, 2]);
});

test('a touch button holds its key until the finger is gone, also when that is told by cancelling', () => {
  const button = touchButton('ArrowRight');
  const { keys, stop } = listening(DEFAULT_MAPPING, [button]);
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    button.finger('pointerdown', 1);
    assert.deepEqual([settle(keys), keys.read(), [...button.held]], [2, 2, ['held']]);
    button.finger(end, 1);
    assert.deepEqual([keys.read(), [...button.held]], [undefined, []]);
  }
  button.finger('pointerdown', 1);
  stop();
  assert.equal(keys.read(), undefined);
});
