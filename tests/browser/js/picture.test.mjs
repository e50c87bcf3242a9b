/** What is drawn when: permanent objects, gliding, corrections. And the connection's type from its statistics. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Picture, between, hasGpu } from '../../../web/demo/canvas.js';
import { connectionType } from '../../../web/core/channel.js';

const ball = (x, more = {}) => ({ uuid: 'ball', object_type: 'circle', x, y: 0, radius: 5, tween: true, ...more });
const xs = (picture, now) => picture.at(now).objects.map(({ x }) => x);

test('permanent objects stay until the reset, all others for one picture', () => {
  const picture = new Picture(600);
  picture.take({ objects: [{ uuid: 'net', object_type: 'rectangle', x: 1, permanent: true, depth: 2 }, { uuid: 'a', object_type: 'circle', x: 2 }] }, 0, 1, false);
  picture.take({ objects: [{ uuid: 'b', object_type: 'circle', x: 3 }] }, 1, 1, false);
  assert.deepEqual(picture.at(2).objects.map(({ uuid }) => uuid), ['b', 'net']);
  picture.take({ objects: [], reset: true }, 2, 1, false);
  assert.deepEqual(picture.at(3).objects, []);
});

test('what glides goes from where it was drawn to where it is, within one period', () => {
  const picture = new Picture(600);
  picture.take({ objects: [ball(0)] }, 0, 1, false);
  picture.take({ objects: [ball(100)] }, 1, 1, false);
  assert.deepEqual([xs(picture, 1), xs(picture, 1.5), xs(picture, 2), xs(picture, 9)], [[0], [50], [100], [100]]);
  assert.equal(picture.at(1.5).settled, false);
  assert.equal(picture.at(2).settled, true);
});

test('after a correction it takes 100 ms at most, from where it is on the screen', () => {
  const picture = new Picture(600);
  picture.take({ objects: [ball(0)] }, 0, 0.02, false);
  picture.take({ objects: [ball(100)] }, 1, 0.02, true);
  assert.ok(xs(picture, 1.05)[0] > 49 && xs(picture, 1.05)[0] < 51);
  assert.deepEqual(xs(picture, 1.1), [100]);
});

test('what jumps across the field is not drawn in between, nor what does not glide', () => {
  const picture = new Picture(600);
  picture.take({ objects: [ball(0), ball(0, { uuid: 'still', tween: false })] }, 0, 1, false);
  picture.take({ objects: [ball(400), ball(100, { uuid: 'still', tween: false })] }, 1, 1, false);
  assert.deepEqual(xs(picture, 1), [400, 100]);
});

test('the points of a line glide if their number stays', () => {
  const line = (points) => ({ uuid: 'l', object_type: 'line', points });
  assert.deepEqual(between(line([[0, 0]]), line([[10, 20]]), 0.5).points, [[5, 10]]);
  assert.deepEqual(between(line([[0, 0], [1, 1]]), line([[10, 20]]), 0.5).points, [[10, 20]]);
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
