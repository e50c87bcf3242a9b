// @ts-check
/**
 * Files, as they come by a network that has trouble: asked for again after a pause, and anew where one stops coming in its
 * middle. What was handed on already is passed over then, so that whoever reads it notices a pause alone.
 */

import { PageError } from './errors.js';
import { LOADING } from './handed.js';

/**
 * What comes in time, or a failure that ends the request, too.
 *
 * @template T
 * @param {Promise<T>} work
 * @param {number} ms
 * @param {AbortController} request
 * @returns {Promise<T>}
 */
function inTime(work, ms, request) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new Error(`nothing came for ${ms / 1000} s`);
      reject(error);
      request.abort(error);
    }, ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * As `fetch`, with patience; whatever the server answers but that it has trouble now.
 *
 * @param {typeof fetch} ask the browser's own
 * @param {RequestInfo | URL} input
 * @param {RequestInit} [init]
 * @param {(bytes: number) => void} [came] how many more were handed on
 * @returns {Promise<Response>}
 */
export async function patientFetch(ask, input, init = {}, came = () => {}) {
  const url = input instanceof Request ? input.url : String(input);
  if ((init.method ?? (input instanceof Request ? input.method : 'GET')) !== 'GET') return ask(input, init);
  const pauses = [...LOADING.pauses_ms];
  /** Wait for the time to ask again. @param {unknown} why @returns {Promise<boolean>} whether it comes */
  const again = async (why) => {
    const pause = init.signal?.aborted ? undefined : pauses.shift();
    if (pause === undefined) return false;
    console.warn(`[pycore] ${url} did not come (${why}); it is asked for again in ${pause / 1000} s`);
    await new Promise((resolve) => void setTimeout(resolve, pause));
    return true;
  };
  let request = new AbortController();
  init.signal?.addEventListener('abort', () => request.abort(init.signal?.reason));
  const begin = async () => {
    for (;;) {
      request = new AbortController();
      try {
        // What has a checksum is not handed on before all of it is there.
        const within = init.integrity ? LOADING.checked_within_ms : LOADING.stalled_ms;
        const response = await inTime(ask(input, { ...init, signal: request.signal }), within, request);
        if (response.status < 500 || !(await again(`status ${response.status}`))) return response;
      } catch (error) {
        if (!(await again(error))) throw error;
      }
    }
  };

  const first = await begin();
  if (!first.ok || !first.body) return first;
  let reader = first.body.getReader();
  let at = 0;
  let given = 0;
  const stream = new ReadableStream({
    async pull(controller) {
      for (;;) {
        try {
          const { done, value } = await inTime(reader.read(), LOADING.stalled_ms, request);
          if (done) {
            controller.close();
            return;
          }
          at += value.byteLength;
          const fresh = Math.min(at - given, value.byteLength);
          if (fresh <= 0) continue;
          given = at;
          came(fresh);
          controller.enqueue(value.subarray(value.byteLength - fresh));
          return;
        } catch (error) {
          if (!(await again(error))) throw error;
          const next = await begin();
          if (!next.ok || !next.body || next.headers.get('etag') !== first.headers.get('etag')) {
            throw new Error(`${url} is another file meanwhile, or gone (status ${next.status})`);
          }
          reader = next.body.getReader();
          at = 0;
        }
      }
    },
    cancel: (reason) => request.abort(reason),
  }, { highWaterMark: 0 });
  const { status, statusText, headers } = first;
  const response = new Response(stream, { status, statusText, headers });
  // Python's package installer reads it.
  Object.defineProperty(response, 'url', { value: first.url });
  return response;
}

/**
 * A file, whole.
 *
 * @param {string} url
 * @param {string} what for the message
 * @returns {Promise<Response>}
 */
export async function get(url, what) {
  /** @type {Response} */
  let response;
  try {
    response = await patientFetch(fetch, url);
    if (response.ok && response.body) response = new Response(await response.arrayBuffer(), { headers: response.headers });
  } catch (error) {
    throw new PageError('load-network', `${what} could not be loaded from ${url}: ${error}`,
      'Check the internet connection and reload the page.');
  }
  if (!response.ok) {
    throw new PageError('load-status', `${what} could not be loaded: ${url} answered ${response.status}`,
      'Reload the page. If this comes again, tell the person who runs the study.');
  }
  return response;
}

/**
 * Make `fetch` patient while the work runs, for what others fetch, and count what it brings in.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {(bytes: number) => void} [counted] total so far
 * @returns {Promise<T>}
 */
export async function patiently(work, counted = () => {}) {
  const original = globalThis.fetch;
  let bytes = 0;
  globalThis.fetch = (input, init) => patientFetch(original, input, init, (more) => {
    bytes += more;
    counted(bytes);
  });
  try {
    return await work();
  } finally {
    globalThis.fetch = original;
  }
}
