/** Pictures from files that do not come: asked for again, told of, and what they cover is seen meanwhile. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DRAWING } from '../../../web/demo/handed.js';
import { drawSprite, image, preload, standIn } from '../../../web/demo/sprites.js';

/** Files by hand: each request for one is in `asked`. */
const asked = [];
globalThis.Image = class {
  complete = false;
  naturalWidth = 0;
  set src(src) { asked.push(src); this.file = src; }
};

/** A canvas that only remembers what was called. */
function canvas() {
  const done = [];
  return new Proxy({ done }, {
    get: (of, name) => (name === 'done' ? of.done : (...given) => { done.push([name, ...given]); }),
    set: (of, name, value) => { done.push([name, value]); return true; },
  });
}
const names = (context) => context.done.map(([name]) => name);

test('a file that does not come is asked for again after pauses, and then told of once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const reports = [];
  const report = (where, error) => reports.push([where, error.code, error.message]);
  preload({ ball: { src: 'ball.png' } }, report);
  const file = image('ball.png', report);
  assert.deepEqual(asked, ['ball.png'], 'once, whoever asks');
  for (const [attempt, pause] of DRAWING.images_again_ms.entries()) {
    file.onerror();
    t.mock.timers.tick(pause - 1);
    assert.equal(asked.length, attempt + 1);
    t.mock.timers.tick(1);
    assert.equal(asked.length, attempt + 2);
  }
  assert.deepEqual(reports, []);
  file.onerror();
  t.mock.timers.runAll();
  assert.equal(asked.length, 1 + DRAWING.images_again_ms.length);
  assert.deepEqual(reports, [['sprites.image', 'load-image', 'the picture ball.png does not come']]);
});

test('a sprite whose file is not there is seen as what it covers, and as itself when it has come', () => {
  const images = { cat: { src: 'cat.png' } };
  const sprite = { uuid: 'c', object_type: 'sprite', image: 'cat', x: 10, y: 20, w: 30, h: 40 };
  const file = image('cat.png', assert.fail);
  for (const state of [{}, { complete: true }]) {
    Object.assign(file, state);
    const context = canvas();
    drawSprite(context, sprite, images, assert.fail);
    assert.ok(names(context).includes('strokeRect'), JSON.stringify(state));
    assert.deepEqual(context.done.find(([name]) => name === 'translate'), ['translate', 10, 20]);
  }
  Object.assign(file, { complete: true, naturalWidth: 16, naturalHeight: 16 });
  const context = canvas();
  drawSprite(context, sprite, images, assert.fail);
  assert.ok(names(context).includes('drawImage'));
  assert.equal(names(context).includes('strokeRect'), false);
});

test('what stands in for a picture has the color that the study gave it', () => {
  const context = canvas();
  standIn(context, { x: 1, y: 2, w: 30, h: 40, color: 'teal' });
  assert.deepEqual(context.done.filter(([name]) => ['fillStyle', 'fillRect', 'strokeRect'].includes(name)), [['fillStyle', 'teal'], ['fillRect', 0, 0, 30, 40]]);
});
