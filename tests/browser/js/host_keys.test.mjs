/** Keys of the host page that nobody tells it came up. */

import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { watchKeys } from '../../../web/interactive_gym/keys.js';

globalThis.KeyboardEvent = class extends Event { constructor(type, more) { super(type, more); this.key = more.key; } };
let stop = () => {};
afterEach(() => stop());

/** The page's own listeners, as they are; events bubble from the document to the window. */
function playing() {
  const down = {};
  const page = { pressedKeys: down };
  globalThis.window = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  document.addEventListener('keydown', ({ key }) => { down[key] = true; });
  document.addEventListener('keyup', (event) => {
    delete down[event.key];
    // Of ours: what the browser does itself for its own.
    if (!event.code) window.dispatchEvent(Object.assign(new Event('keyup'), { key: event.key }));
  });
  const reports = [];
  stop = watchKeys(page, (...given) => reports.push(given));
  const told = (type, key, code = key, more = {}) => {
    for (const target of [document, window]) target.dispatchEvent(Object.assign(new Event(type), { key, code, metaKey: false, ...more }));
  };
  return { down, told, reports };
}

test('who leaves the window, or hides the page, lets go of the keys', () => {
  for (const leave of [() => window.dispatchEvent(new Event('blur')), () => { document.hidden = true; document.dispatchEvent(new Event('visibilitychange')); }]) {
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
