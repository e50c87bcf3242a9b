// @ts-check
/**
 * Makes what is stored small for its way to the server: inputs may go by the same connection, and wait behind it.
 *
 * Lines of records repeat themselves and become a tenth. Where the browser cannot pack, or it does not pay, the text goes
 * as it is: the server takes both.
 */

import { PACKING } from './handed.js';

/** @param {Uint8Array} bytes @returns {string} base64 */
function base64(bytes) {
  let text = '';
  // The arguments of one call are bounded.
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/**
 * The payload with `packed`, zlib's format in base64, in the place of its text `data` or of its object `metrics`.
 *
 * @param {Record<string, any>} payload
 * @returns {Promise<Record<string, any>>}
 */
export async function packed(payload) {
  const { data, metrics, ...rest } = payload;
  const text = typeof data === 'string' ? data : metrics && JSON.stringify(metrics);
  if (!text || text.length < PACKING.from_characters || typeof CompressionStream === 'undefined') return payload;
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('deflate'));
  const found = base64(new Uint8Array(await new Response(stream).arrayBuffer()));
  return found.length < text.length ? { ...rest, packed: found } : payload;
}
