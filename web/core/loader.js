// @ts-check
/**
 * Brings Python and the game into the page, in five named steps with their progress.
 *
 * manifest → python → core → game → ready. The bytes of Python (12 MB) are counted while they come in: the
 * loader of Pyodide offers no such figure, so `fetch` is watched for as long as the loading takes. What comes
 * from the cache counts as well.
 *
 * The byte-compiled wheel is for one Python version only, and another one ignores it without a word; then
 * `import pycore` fails and the plain wheel takes its place.
 */

import { PageError } from './errors.js';
import { LOADING } from './handed.js';

/** @typedef {'manifest' | 'python' | 'core' | 'game' | 'ready'} Step */

/**
 * @typedef {object} Progress
 * @property {Step} step
 * @property {number | null} fraction of this step, 0 to 1; null if it cannot be known
 * @property {number} bytes so far, 0 if the step does not count them
 */

/**
 * @typedef {object} Manifest
 * @property {{url: string, version: string}} pyodide
 * @property {string} wheel
 * @property {string | null} [compiled_wheel]
 * @property {string} game a Python module that has `make_env()`
 * @property {string} version
 * @property {string} [title]
 * @property {string} [intro]
 * @property {Record<string, unknown>} [action_mapping]
 * @property {unknown[]} [ice_servers]
 */

/**
 * @typedef {object} Loaded
 * @property {any} pyodide
 * @property {Manifest} manifest
 * @property {() => any} makeEnvironment a new environment; the proxy is the caller's
 * @property {any} create `pycore.bridge.create`
 */

export const STEPS = Object.freeze(/** @type {Step[]} */ (['manifest', 'python', 'core', 'game', 'ready']));

/** Bytes of a Pyodide distribution, where the server does not say how much there is to come. */
const PYTHON_BYTES = 13.5e6;

/** @param {string} url @returns {Promise<Response>} whatever the server answers but that it has trouble now */
async function patientFetch(url) {
  for (const pause of LOADING.pauses_ms) {
    try {
      const response = await fetch(url);
      if (response.status < 500) return response;
    } catch (error) {
      console.warn(`[pycore] ${url} did not come (${error}); it is asked for again in ${pause / 1000} s`);
    }
    await new Promise((resolve) => void setTimeout(resolve, pause));
  }
  return fetch(url);
}

/**
 * @param {string} url
 * @param {string} what for the message
 * @returns {Promise<Response>}
 */
export async function get(url, what) {
  /** @type {Response} */
  let response;
  try {
    response = await patientFetch(url);
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
 * Count what `fetch` brings in while the work runs.
 *
 * @template T
 * @param {(bytes: number) => void} counted total so far
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function counting(counted, work) {
  const original = globalThis.fetch;
  let bytes = 0;
  globalThis.fetch = async (...args) => {
    const response = await original(...args);
    if (!response.ok || response.body === null) return response;
    const stream = response.body.pipeThrough(new TransformStream({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        counted(bytes);
        controller.enqueue(chunk);
      },
    }));
    const { status, statusText, headers } = response;
    return new Response(stream, { status, statusText, headers });
  };
  try {
    return await work();
  } finally {
    globalThis.fetch = original;
  }
}

/**
 * @param {any} pyodide
 * @param {string} url
 * @param {string} what
 */
async function unpack(pyodide, url, what) {
  const response = await get(url, what);
  pyodide.unpackArchive(await response.arrayBuffer(), 'whl');
}

/**
 * Bring a module of the core into Pyodide; the proxy is the caller's.
 *
 * @param {any} pyodide
 * @param {string} module
 * @param {{wheel: string, compiled_wheel?: string | null}} manifest
 * @param {(url: string) => string} resolve
 * @param {(message: string) => void} warn
 */
export async function importCore(pyodide, module, manifest, resolve, warn) {
  const compiled = manifest.compiled_wheel;
  if (compiled) {
    try {
      await unpack(pyodide, resolve(compiled), 'the game core');
      return pyodide.pyimport(module);
    } catch (error) {
      warn(`the byte-compiled wheel ${compiled} is of no use here (${error}); the plain one is loaded`);
      pyodide.runPython(
        'import importlib, sys\n'
        + 'for name in [n for n in sys.modules if n.partition(".")[0] == "pycore"]: del sys.modules[name]\n'
        + 'importlib.invalidate_caches()');
    }
  }
  await unpack(pyodide, resolve(manifest.wheel), 'the game core');
  return pyodide.pyimport(module);
}

/**
 * Load everything that the game needs.
 *
 * @param {(progress: Progress) => void} progress
 * @param {(message: string) => void} warn
 * @param {string} [manifestURL]
 * @returns {Promise<Loaded>}
 */
export async function load(progress, warn, manifestURL = new URL('../manifest.json', import.meta.url).href) {
  progress({ step: 'manifest', fraction: null, bytes: 0 });
  /** @type {Manifest} */
  const manifest = await (await get(manifestURL, 'the manifest')).json();
  /** @param {string} url */
  const resolve = (url) => new URL(url, manifestURL).href;

  progress({ step: 'python', fraction: 0, bytes: 0 });
  const base = resolve(manifest.pyodide.url.endsWith('/') ? manifest.pyodide.url : `${manifest.pyodide.url}/`);
  const pyodide = await counting(
    (bytes) => progress({ step: 'python', fraction: Math.min(bytes / PYTHON_BYTES, 1), bytes }),
    async () => {
      const { loadPyodide } = await import(`${base}pyodide.mjs`);
      return loadPyodide({ indexURL: base });
    },
  );

  progress({ step: 'core', fraction: null, bytes: 0 });
  const bridge = await importCore(pyodide, 'pycore.bridge', manifest, resolve, warn);
  // An attribute is only borrowed from its proxy: it ends with it unless it is copied.
  const create = bridge.create.copy();
  bridge.destroy();

  progress({ step: 'game', fraction: null, bytes: 0 });
  const source = await (await get(resolve(manifest.game), 'the game')).text();
  const name = /([^/]+)\.py$/.exec(manifest.game)?.[1];
  if (name === undefined) {
    throw new PageError('load-manifest', `the game in the manifest is not a Python file: ${manifest.game}`);
  }
  // A module of its own name, so that a traceback shows the game's lines.
  pyodide.FS.writeFile(`${name}.py`, source);
  const game = pyodide.pyimport(name);
  const makeEnvironment = game.make_env?.copy();
  game.destroy();
  if (makeEnvironment === undefined) {
    throw new PageError('load-game', `${manifest.game} has no function make_env()`);
  }

  progress({ step: 'ready', fraction: 1, bytes: 0 });
  return { pyodide, manifest, makeEnvironment, create };
}
