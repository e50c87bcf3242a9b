/** Objects in the terms of the interactive_gym page, as ours. How both look beside each other is tested in that page. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Picture } from '../../../web/demo/picture.js';
import { partOf } from '../../../web/demo/sprites.js';
import { inOurTerms } from '../../../web/demo/terms.js';

const world = { width: 600, height: 400 };
const marked = (object) => ({ terms: 'interactive_gym', ...object });

test('places and sizes are shares of the picture, a radius of its longer side', () => {
  const [rectangle] = inOurTerms({ uuid: 'a', object_type: 'rect', x: 0.5, y: 0.5, w: 0.1, h: 0.1, color: '#112233' }, world);
  assert.deepEqual([rectangle.x, rectangle.y, rectangle.w, rectangle.h], [300, 200, 60, 40]);
  const [circle] = inOurTerms({ uuid: 'a', object_type: 'circle', x: 0, y: 1, radius: 0.1, color: '#112233', alpha: 0.5 }, { width: 300, height: 500 });
  assert.deepEqual([circle.y, circle.radius, circle.color], [500, 50, '#11223380']);
  assert.equal('stroke' in circle, false);
});

test('a line that is filled has an area beside it, which goes with it', () => {
  const line = marked({ uuid: 'hill', object_type: 'line', points: [[0, 0.5], [1, 0.25]], color: '#112233', width: 2, fill_below: true, permanent: true });
  const picture = new Picture(world);
  picture.take({ objects: [line], reset: true }, 0, 0, 0);
  const [drawn, area] = picture.at(0).objects;
  assert.deepEqual(drawn.points, [0, 200, 600, 100]);
  assert.deepEqual(area.points, [0, 200, 600, 100, 600, 400, 0, 400]);
  picture.take({ objects: [] }, 1, 0, 0);
  assert.equal(picture.at(1).objects.length, 2);
  picture.take({ objects: [{ uuid: 'hill', object_type: 'removed' }] }, 2, 0, 0);
  assert.deepEqual(picture.at(2).objects, []);
});

test('what lasts and is told of only when it changes glides to its new place, and is corrected as everything is', () => {
  const player = (x) => marked({ uuid: 'me', object_type: 'circle', x, y: 0, radius: 0.01, color: '#000000', permanent: true, tween: true, tween_duration: 50 });
  const picture = new Picture(world);
  const x = (now) => picture.at(now).objects[0].x;
  picture.take({ objects: [player(0)], reset: true }, 0, 1, 0);
  picture.take({ objects: [player(0.1)] }, 1, 1, 0);
  assert.deepEqual([x(1), x(1.5), x(2)], [0, 30, 60]);
  picture.take({ objects: [player(0)] }, 3, 1, 2);
  assert.deepEqual([x(3), x(4), x(5)], [60, 30, 0]);
});

test('what that page does not draw is not drawn, and a sprite without a picture neither', () => {
  for (const object_type of ['arc', 'ellipse', 'animation']) assert.deepEqual(inOurTerms({ uuid: 'a', object_type, x: 0, y: 0 }, world), []);
  assert.deepEqual(inOurTerms({ uuid: 'a', object_type: 'sprite', x: 0, y: 0, image_name: null }, world), []);
});

test('a sprite shows the whole file, a frame of a sheet by its number, or one of an atlas by name', () => {
  const sprite = { uuid: 'a', object_type: 'sprite', x: 0.1, y: 0.1, width: 32, height: 0.1, image_name: 'i', frame: 5 };
  const [drawn] = inOurTerms(sprite, world);
  assert.deepEqual([drawn.image, drawn.frame, drawn.w, drawn.h], ['i', 5, 32, 40]);
  assert.equal('frame' in inOurTerms({ ...sprite, frame: null }, world)[0], false);
  assert.deepEqual(partOf({ src: '' }, undefined, 20, 10), [0, 0, 20, 10]);
  assert.deepEqual(partOf({ src: '', size: [8, 4] }, 5, 33, 100), [8, 4, 8, 4]);
  const frames = { a: [1, 2, 3, 4], b: [5, 6, 7, 8] };
  assert.deepEqual(partOf({ src: '', frames }, 'b', 0, 0), [5, 6, 7, 8]);
  assert.deepEqual(partOf({ src: '', frames }, undefined, 0, 0), [1, 2, 3, 4]);
  assert.throws(() => partOf({ src: '', frames }, 'c', 0, 0), /no frame "c"/);
});
