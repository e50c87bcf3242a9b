/** Python's results in the page's shapes. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { observationMap, renderState } from '../../../web/interactive_gym/results.js';

test('observations become Maps of float32 vectors, nested ones Maps of Maps, keys keep their type', () => {
  const map = observationMap([[0, 2], ['b', [['x', 1], ['y', 0]]], [1, 1]], Float32Array.of(1, 2, 3, 4));
  assert.deepEqual([...map.keys()], [0, 'b', 1]);
  assert.deepEqual([...map.get(0)], [1, 2]);
  assert.ok(map.get(0) instanceof Float32Array);
  assert.deepEqual([...map.get('b').get('x')], [3]);
  assert.equal(map.get('b').get('y').length, 0);
  assert.deepEqual([...map.get(1)], [4]);
});

test('objects and removals are handed on as they are', () => {
  const objects = [{ uuid: 'a' }];
  const state = renderState({ objects, removed: ['b'] }, 7, assert.fail, null);
  assert.equal(state.game_state_objects, objects);
  assert.deepEqual(state.removed, ['b']);
  assert.equal(state.step, 7);
  assert.equal(renderState({ objects: null }, 1, assert.fail, null).game_state_objects, null);
});

test('a picture is one sprite over the whole scene, from a texture with its pixels', () => {
  globalThis.ImageData = class {
    constructor(width, height) {
      Object.assign(this, { width, height, data: new Uint8ClampedArray(width * height * 4) });
    }
  };
  const made = [];
  const textures = {
    exists: () => made.length > 0,
    get: () => made.at(-1),
    remove: () => made.pop(),
    createCanvas(key, width, height) {
      const texture = { key, width, height, refreshed: 0, refresh: () => { texture.refreshed += 1; }, context: { putImageData: (image) => { texture.image = image; } } };
      made.push(texture);
      return texture;
    },
  };
  const scene = { textures, width: 600, height: 400 };
  const draw = (size, bytes) => renderState({ objects: null, image: size }, 3, () => Uint8Array.from(bytes), scene);
  const [sprite] = draw([2, 1], [1, 2, 3, 4, 5, 6]).game_state_objects;
  assert.equal(sprite.object_type, 'sprite');
  assert.deepEqual([sprite.width, sprite.height], [600, 400]);
  assert.deepEqual([...made[0].image.data], [1, 2, 3, 255, 4, 5, 6, 255]);
  draw([2, 1], [0, 0, 0, 0, 0, 0]);
  assert.equal(made.length, 1);
  assert.equal(made[0].refreshed, 2);
  draw([1, 1], [9, 9, 9]);
  assert.deepEqual([made.length, made[0].width], [1, 1]);
});
