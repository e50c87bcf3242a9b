/** Browsers without WebRTC. */

import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { makeConnection } from '../../../web/core/webrtc.js';

afterEach(() => { delete globalThis.RTCPeerConnection; });

for (const [how, given] of [
  ['is not there', undefined], ['was taken away by an extension', null],
  ['is there and makes nothing', class { constructor() { throw new DOMException('switched off', 'NotSupportedError'); } }],
]) {
  test(`a WebRTC that ${how} is none, and is not tried again`, () => {
    globalThis.RTCPeerConnection = given;
    assert.throws(() => makeConnection({}), { code: 'no-webrtc' });
  });
}

test('what is wrong with the servers of one connection is said as it is', () => {
  const made = [];
  globalThis.RTCPeerConnection = class {
    constructor(ice) {
      if (ice?.iceServers) throw new DOMException('no such server', 'SyntaxError');
      made.push(this);
    }

    close() { this.closed = true; }
  };
  assert.throws(() => makeConnection({ iceServers: [{ urls: 'x' }] }), { name: 'SyntaxError' });
  assert.deepEqual(made.map(({ closed }) => closed), [true]);
  assert.ok(makeConnection());
});
