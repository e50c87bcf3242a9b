// @ts-check
/** Whether this browser has WebRTC at all: some are built without it, and some people have it switched off or refused. */

import { PageError } from './errors.js';

/**
 * A connection. Where none can be made whatever it is made with, that is what is said, once for all; what is wrong with
 * this one's servers is said as the browser does.
 *
 * @param {RTCConfiguration} [ice]
 */
export function makeConnection(ice = {}) {
  if (typeof RTCPeerConnection !== 'function') throw new PageError('no-webrtc', 'this browser has none');
  try {
    return new RTCPeerConnection(ice);
  } catch (error) {
    try {
      new RTCPeerConnection().close();
    } catch {
      throw new PageError('no-webrtc', `this browser makes none: ${error}`);
    }
    throw error;
  }
}
