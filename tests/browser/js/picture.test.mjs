/** What is drawn when: permanent objects, gliding, corrections. And the connection's type from its statistics. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Renderer, hasGpu } from '../../../web/demo/canvas.js';
import { Picture, between } from '../../../web/demo/picture.js';
import { connectionType } from '../../../web/core/channel.js';

const ball = (x, more = {}) => ({ uuid: 'ball', object_type: 'circle', x, y: 0, radius: 5, tween: true, ...more });
const xs = (picture, now) => picture.at(now).objects.map(({ x }) => x);

test('permanent objects stay until the reset, all others for one picture', () => {
  const picture = new Picture({ width: 600, height: 400 });
  picture.take({ objects: [{ uuid: 'net', object_type: 'rectangle', x: 1, permanent: true, depth: 2 }, { uuid: 'a', object_type: 'circle', x: 2 }] }, 0, 1, 0);
  picture.take({ objects: [{ uuid: 'b', object_type: 'circle', x: 3 }] }, 1, 1, 0);
  assert.deepEqual(picture.at(2).objects.map(({ uuid }) => uuid), ['b', 'net']);
  picture.take({ objects: [], reset: true }, 2, 1, 0);
  assert.deepEqual(picture.at(3).objects, []);
});

test('an object that is none hides no other one, nor what comes behind it', () => {
  const picture = new Picture({ width: 600, height: 400 });
  const page = (object) => ({ terms: 'interactive_gym', uuid: 'theirs', ...object });
  for (const wrong of [null, { uuid: 'odd', object_type: 'polygon', points: [[0, 1], null] }, page({ object_type: 'polygon' })]) {
    assert.throws(() => picture.take({ objects: [ball(1), wrong, ball(2, { uuid: 'behind' })] }, 0, 1, 0), TypeError);
    assert.deepEqual(xs(picture, 9), [1, 2]);
  }
  picture.take({ objects: [ball(3)] }, 1, 1, 0);
  assert.deepEqual(xs(picture, 9), [3]);
});

test('what glides goes from where it was drawn to where it is, within one period', () => {
  const picture = new Picture({ width: 600, height: 400 });
  picture.take({ objects: [ball(0)] }, 0, 1, 0);
  picture.take({ objects: [ball(100)] }, 1, 1, 0);
  assert.deepEqual([xs(picture, 1), xs(picture, 1.5), xs(picture, 2), xs(picture, 9)], [[0], [50], [100], [100]]);
  assert.equal(picture.at(1.5).settled, false);
  assert.equal(picture.at(2).settled, true);
});

const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-6, `${found} is not ${wanted}`);

test('what was corrected is drawn where it was on the screen, and is where it is when the time for that is over', () => {
  const picture = new Picture({ width: 600, height: 400 });
  picture.take({ objects: [ball(0)] }, 0, 0.02, 0);
  picture.take({ objects: [ball(100)] }, 1, 0.02, 0.1);
  assert.deepEqual([xs(picture, 1), xs(picture, 1.1)], [[0], [100]]);
  near(xs(picture, 1.05)[0], 50);
  assert.deepEqual([picture.at(1.05).settled, picture.at(1.1).settled], [false, true]);
});

test('a correction goes on being smoothed through the next pictures, beside all that moves', () => {
  const picture = new Picture({ width: 600, height: 400 });
  const line = (x) => ({ uuid: 'l', object_type: 'line', points: [[x, 0], [x + 10, 5]] });
  for (const [x, now, smooth] of [[0, 0, 0], [60, 1, 0.1], [70, 1.02, 0], [80, 1.04, 0]]) {
    picture.take({ objects: [ball(x), line(x), ball(x, { uuid: 'steps', tween: false })] }, now, 0.02, smooth);
  }
  // At 1.04 the ball is at 70 on its way to 80, and 60 % of what it was off are left.
  const [{ x: glides }, { points }, { x: steps }] = picture.at(1.04).objects;
  near(glides, 70 - 36);
  near(steps, 80 - 36);
  near(points[0], 80 - 36);
  near(points[2], 90 - 36);
  assert.deepEqual([points[1], points[3]], [0, 5]);
  assert.deepEqual(xs(picture, 1.1), [80, undefined, 80]);
});

test('a second correction begins from what is seen, and one across the field is seen at once', () => {
  const picture = new Picture({ width: 600, height: 400 });
  picture.take({ objects: [ball(0)] }, 0, 0.02, 0);
  picture.take({ objects: [ball(100)] }, 1, 0.02, 0.1);
  picture.take({ objects: [ball(100)] }, 1.05, 0.02, 0.1);
  near(xs(picture, 1.05)[0], 50);
  near(xs(picture, 1.1)[0], 75);
  picture.take({ objects: [ball(500)] }, 1.1, 0.02, 0.1);
  assert.deepEqual(xs(picture, 1.1), [500]);
  picture.take({ objects: [ball(480)] }, 2, 0.02, 0);
  assert.deepEqual(xs(picture, 2), [500], 'without a correction it glides as ever');
});

test('what jumps across the field is not drawn in between, nor what does not glide', () => {
  const picture = new Picture({ width: 600, height: 400 });
  picture.take({ objects: [ball(0), ball(0, { uuid: 'still', tween: false })] }, 0, 1, 0);
  picture.take({ objects: [ball(400), ball(100, { uuid: 'still', tween: false })] }, 1, 1, 0);
  assert.deepEqual(xs(picture, 1), [400, 100]);
});

test('the points of a line glide if their number stays', () => {
  const line = (points) => ({ uuid: 'l', object_type: 'line', points });
  assert.deepEqual(between(line([0, 0]), line([10, 20]), 0.5).points, [5, 10]);
  assert.deepEqual(between(line([0, 0, 1, 1]), line([10, 20]), 0.5).points, [10, 20]);
});

test('points come in pairs or in turns, and are the same', () => {
  const line = (points) => ({ uuid: 'l', object_type: 'line', points, tween: true });
  const [pairs, turns] = [new Picture({ width: 600, height: 400 }), new Picture({ width: 600, height: 400 })];
  for (const [x, now] of [[0, 0], [10, 1]]) {
    pairs.take({ objects: [line([[x, 1], [x + 2, 3]])] }, now, 1, 0);
    turns.take({ objects: [line([x, 1, x + 2, 3])] }, now, 1, 0);
  }
  assert.deepEqual(pairs.at(1.5).objects[0].points, [5, 1, 7, 3]);
  assert.deepEqual(pairs.at(1.5), turns.at(1.5));
  pairs.take({ objects: [line([])] }, 2, 1, 0);
  assert.deepEqual(pairs.at(2).objects[0].points, []);
});

const local = { id: 'L', type: 'local-candidate', candidateType: 'host', protocol: 'udp' };
const relayed = { ...local, candidateType: 'relay', relayProtocol: 'tcp' };
const remote = { id: 'R', type: 'remote-candidate', candidateType: 'srflx' };
const pair = { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R', state: 'succeeded' };
const other = { ...pair, id: 'Q', localCandidateId: 'none', nominated: true };

test('the selected pair is found by the transport, by its mark, or by its nomination', () => {
  const reports = [
    [{ id: 'T', type: 'transport', selectedCandidatePairId: 'P' }, other, pair, local, remote],
    [other, { ...pair, selected: true }, local, remote],
    [{ ...pair, nominated: true }, { ...other, state: 'failed' }, local, remote],
  ];
  for (const report of reports) {
    assert.deepEqual(connectionType(report), {
      connection_type: 'direct',
      details: { localCandidateType: 'host', remoteCandidateType: 'srflx', protocol: 'udp', relayProtocol: null },
    });
  }
});

test('a relay on either side is a relayed connection, and no pair is no answer', () => {
  const transport = { id: 'T', type: 'transport', selectedCandidatePairId: 'P' };
  assert.equal(connectionType([transport, pair, relayed, remote]).connection_type, 'relay');
  assert.equal(connectionType([transport, pair, local, { ...remote, candidateType: 'relay' }]).connection_type, 'relay');
  assert.equal(connectionType([local, remote]), null);
  assert.equal(connectionType([pair, local, remote]), null);
});

test('a program in the place of a GPU is known by its name, where a browser gives it', () => {
  const lost = [];
  const canvas = (names) => ({
    getContext: () => names && {
      RENDERER: 1,
      getExtension: (extension) => ({
        WEBGL_lose_context: { loseContext: () => lost.push(names) }, WEBGL_debug_renderer_info: names[2] && { UNMASKED_RENDERER_WEBGL: 2 },
      })[extension],
      getParameter: (of) => names[of],
    },
  });
  const of = (plain, unmasked) => hasGpu(canvas({ 1: plain, 2: unmasked }));
  assert.equal(of('WebKit WebGL', 'ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)), SwiftShader driver)'), false);
  assert.equal(of('llvmpipe, or similar', undefined), false);
  assert.equal(of('WebKit WebGL', 'ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11)'), false);
  assert.equal(of('WebKit WebGL', 'ANGLE (Intel, Mesa Intel(R) UHD Graphics 620 (KBL GT2), OpenGL 4.6)'), true);
  assert.equal(of('Apple GPU', undefined), true);
  assert.equal(hasGpu(canvas(null)), false, 'without WebGL there is none');
  assert.equal(lost.length, 5, 'none of these contexts is kept');
});

test('a study says within which time a correction is seen in full; 0 is at once', () => {
  Object.assign(globalThis, {
    window: { devicePixelRatio: 1 }, document: { createElement: () => ({ getContext: () => null }) },
    ResizeObserver: class { observe() {} }, requestAnimationFrame: () => 1,
  });
  const canvas = { clientWidth: 600, clientHeight: 400, getContext: () => ({}) };
  for (const [corrections, after] of [[0.4, 0.2], [undefined, 0.05], [0, 0]]) {
    const renderer = new Renderer(canvas, () => {}, { corrections });
    renderer.show({ objects: [ball(0)] }, 0, 0, false);
    renderer.show({ objects: [ball(100)] }, 1, 0, true);
    near(xs(renderer.picture, 1 + after)[0], after === 0 ? 100 : 50);
  }
});
