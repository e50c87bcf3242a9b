/** Keys of the host page that nobody tells it came up. */

import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { watchKeys } from '../../../web/interactive_gym/keys.js';

globalThis.KeyboardEvent = class extends Event { constructor(type, more) { super(type, more); this.key = more.key; } };
let stop = () => {};
afterEach(() => stop());

/** The page's own listeners, as they are; events come from the window to the document, and bubble back. */
function playing(scene = {}) {
  const down = {};
  const strokes = [];
  const page = { pressedKeys: down, clearHumanInputBuffers() { page.pressedKeys = {}; } };
  globalThis.window = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  const heard = [];
  window.addEventListener = (type, listener, options) => {
    heard.push({ type, listener, options });
    EventTarget.prototype.addEventListener.call(window, type, listener, { signal: options.signal });
  };
  document.addEventListener('keydown', ({ key }) => { down[key] = true; page.pressedKeys = down; strokes.push(key); });
  document.addEventListener('keyup', (event) => { delete down[event.key]; page.pressedKeys = down; });
  const own = document.dispatchEvent.bind(document);
  // Of ours: what the browser does itself for its own.
  document.dispatchEvent = (event) => (event.type.startsWith('key') ? through(event) : own(event));
  const through = (event) => {
    let stopped = false;
    event.stopPropagation = () => { stopped = true; };
    const at = (capture) => {
      for (const { type, listener, options } of heard) {
        if (type === event.type && !options.signal.aborted && Boolean(options.capture) === capture) listener(event);
      }
    };
    at(true);
    if (stopped) return;
    own(event);
    at(false);
  };
  const reports = [];
  stop = watchKeys(page, (...given) => reports.push(given), () => scene);
  const told = (type, key, code = key, more = {}) => through(Object.assign(new Event(type), { key, code, metaKey: false, repeat: false, ...more }));
  return { down, page, strokes, told, reports };
}

test('who leaves the window, or hides the page, lets go of the keys', () => {
  for (const leave of [...['blur', 'beforeunload', 'contextmenu'].map((name) => () => window.dispatchEvent(new Event(name))), () => { document.hidden = true; document.dispatchEvent(new Event('visibilitychange')); }]) {
    const { down, told, reports } = playing();
    told('keydown', 'ArrowLeft');
    leave();
    assert.deepEqual([down, reports], [{}, []]);
    stop();
  }
});

test('Command lets go of the keys when it goes down and when it comes up', () => {
  const { down, told } = playing();
  told('keydown', 'ArrowLeft');
  told('keydown', 'Meta', 'MetaLeft', { metaKey: true });
  assert.deepEqual(down, {});
  told('keydown', 'ArrowUp');
  told('keyup', 'Meta', 'MetaLeft');
  assert.deepEqual(down, {});
});

test('a key that is held over the end of an episode, and let go of elsewhere, does not play by itself', () => {
  const { down, page, told } = playing();
  told('keydown', 'ArrowLeft');
  page.clearHumanInputBuffers();
  assert.deepEqual(page.pressedKeys, {});
  window.dispatchEvent(new Event('blur'));
  told('keydown', 'ArrowUp');
  assert.deepEqual([page.pressedKeys, down], [{ ArrowUp: true }, { ArrowUp: true }]);
  told('keyup', 'ArrowUp');
  assert.deepEqual(page.pressedKeys, {});
});

test('a key whose meaning Shift has changed is let go of under the name under which it was pressed', () => {
  const { down, told } = playing();
  told('keydown', 'a', 'KeyA');
  told('keydown', 'Shift', 'ShiftLeft');
  told('keyup', 'A', 'KeyA');
  assert.deepEqual(down, { Shift: true });
  told('keyup', 'Shift', 'ShiftLeft');
  assert.deepEqual(down, {});
});

test('a page that has another game watches no more', () => {
  const { down, told } = playing();
  told('keydown', 'ArrowLeft');
  stop();
  window.dispatchEvent(new Event('blur'));
  assert.deepEqual(down, { ArrowLeft: true });
});

test('on a keyboard of another script the page is told of the letter at the place of a key', () => {
  const { down, told, strokes, reports } = playing({ action_mapping: { w: 1, 'a,w': 2, q: 3 } });
  told('keydown', 'ц', 'KeyW');
  assert.deepEqual(down, { w: true });
  told('keydown', 'ф', 'KeyA');
  assert.deepEqual(down, { w: true, a: true });
  told('keydown', 'ц', 'KeyW', { repeat: true });
  told('keyup', 'ц', 'KeyW');
  assert.deepEqual(down, { a: true });
  told('keyup', 'ф', 'KeyA');
  assert.deepEqual(down, {});
  // What the scene maps itself, what is a letter somewhere else, and what it does not map, are as they were.
  told('keydown', 'z', 'KeyW');
  told('keydown', 'е', 'KeyT');
  assert.deepEqual(down, { z: true, е: true });
  assert.ok(strokes.includes('w'));
  assert.deepEqual(reports, []);
  stop();
  const russian = playing({ action_mapping: { ц: 1, w: 2 } });
  russian.told('keydown', 'ц', 'KeyW');
  assert.deepEqual(russian.down, { ц: true });
});

test('where a stroke acts once, the repeat of a key that was pressed elsewhere is none', () => {
  const { strokes, told } = playing({ input_mode: 'single_keystroke', action_mapping: { ArrowUp: 1 } });
  told('keydown', 'ArrowUp', 'ArrowUp', { repeat: true });
  assert.deepEqual(strokes, []);
  told('keyup', 'ArrowUp');
  told('keydown', 'ArrowUp');
  // A key that is held acts as often as the page lets it.
  told('keydown', 'ArrowUp', 'ArrowUp', { repeat: true });
  assert.deepEqual(strokes, ['ArrowUp', 'ArrowUp']);
  stop();
  const held = playing({ input_mode: 'pressed_keys', action_mapping: { ArrowUp: 1 } });
  held.told('keydown', 'ArrowUp', 'ArrowUp', { repeat: true });
  assert.deepEqual(held.down, { ArrowUp: true });
});
