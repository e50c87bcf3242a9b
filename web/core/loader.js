// @ts-check
/**
 * Brings Python and the game into the page, in six named steps with their progress.
 *
 * manifest → python → core → packages → game → ready. The bytes of Python (12 MB) are counted while they come in: the
 * loader of Pyodide offers no such figure, so `fetch` is watched for as long as the loading takes (fetching.js), and what
 * others fetch is fetched with patience. What comes from the cache counts as well.
 *
 * The byte-compiled wheel is for one Python version only, and another one ignores it without a word; then
 * `import pycore` fails and the plain wheel takes its place.
 */

import { FOR_THE_STUDY, PageError, sentence } from './errors.js';
import { get, patiently } from './fetching.js';
import { factoryOf, loadPagePolicies, loadPolicies } from './policies.js';

/** @typedef {'manifest' | 'python' | 'core' | 'packages' | 'game' | 'ready'} Step */

/**
 * @typedef {object} Progress
 * @property {Step} step
 * @property {number | null} fraction of this step, 0 to 1; null if it cannot be known
 * @property {number} bytes so far, 0 if the step does not count them
 * @property {string} [what] is loaded now, where a step has several parts
 */

/**
 * @typedef {object} Manifest
 * @property {{url: string, version: string, bytes?: number}} pyodide
 * @property {string} wheel
 * @property {string | null} [compiled_wheel]
 * @property {string[]} [packages] what the game imports: names, requirements, and wheels by their URL
 * @property {string} game a Python module that has `make_env()`
 * @property {string[]} [files] other files of the game, which lie below the same folder
 * @property {string} [factory] the name of `make_env`, if it is another one
 * @property {string} version
 * @property {string} [title]
 * @property {string} [intro]
 * @property {Record<string, unknown>} [action_mapping]
 * @property {Record<string, string>} [action_names] what the keys of it do
 * @property {'most' | 'least' | 'none'} [winner] whose points win
 * @property {number} [smooth_corrections] s within which a correction is seen in full
 * @property {[number, number]} [world] width and height of the picture
 * @property {Record<string, {src: string, files?: Record<string, string>}>} [images] what sprites show, by name (demo/sprites.js)
 * @property {unknown[]} [ice_servers]
 * @property {Record<string, {module: string, factory: string}>} [policies] by player, those that every page computes
 * @property {Record<string, string>} [page_policies] by player, the modules of those that one page computes
 * @property {{module: string, factory: string}} [predictor]
 * @property {{module: string, factory: string}} [stand_in] what plays on for who is gone
 */

/**
 * @typedef {object} Loaded
 * @property {any} pyodide
 * @property {Manifest} manifest
 * @property {() => any} makeEnvironment a new environment; the proxy is the caller's. The first one is made already,
 *   so that what cannot be made is said before anybody waits for this player
 * @property {(config: string, environment: any, clock: () => number) => any} create `pycore.bridge.create`, which is given
 *   the study's policies and predictor, too
 */

export const STEPS = Object.freeze(/** @type {Step[]} */ (['manifest', 'python', 'core', 'packages', 'game', 'ready']));

/** Bytes of Pyodide at its usual address, where nobody says how much there is to come. */
const PYTHON_BYTES = 13.5e6;

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
 * Have the browser keep Pyodide's modules: it imports them by itself, without patience, and may remember that one failed.
 *
 * @param {string} base
 */
async function fetchModules(base) {
  const found = await fetch(`${base}pyodide.mjs`);
  // That it is not there is said by its import.
  if (!found.ok || !found.body) return;
  const text = await found.text();
  const [other] = /pyodide\.asm\.m?js/.exec(text) ?? [];
  if (other) await (await fetch(base + other)).arrayBuffer();
}

/**
 * Load everything that the game needs.
 *
 * @param {(progress: Progress) => void} progress
 * @param {(message: string) => void} warn
 * @param {string} [manifestURL]
 * @param {boolean} [plays] whoever only looks at games needs no policies, and may not be able to make them
 * @returns {Promise<Loaded>}
 */
export async function load(progress, warn, manifestURL = new URL('../manifest.json', import.meta.url).href, plays = true) {
  progress({ step: 'manifest', fraction: null, bytes: 0 });
  /** @type {Manifest} */
  const manifest = await (await get(manifestURL, 'the manifest')).json();
  /** @param {string} url */
  const resolve = (url) => new URL(url, manifestURL).href;
  // A page may lie in another folder.
  for (const image of Object.values(manifest.images ?? {})) {
    image.src = resolve(image.src);
    if (image.files) image.files = Object.fromEntries(Object.entries(image.files).map(([frame, file]) => [frame, resolve(file)]));
  }

  progress({ step: 'python', fraction: 0, bytes: 0 });
  const base = resolve(manifest.pyodide.url.endsWith('/') ? manifest.pyodide.url : `${manifest.pyodide.url}/`);
  const pyodide = await patiently(async () => {
    try {
      await fetchModules(base);
      const { loadPyodide } = await import(`${base}pyodide.mjs`);
      return await loadPyodide({ indexURL: base });
    } catch (error) {
      const why = sentence(error).replace(`: ${base}pyodide.mjs`, '');
      throw new PageError('load-pyodide', `Pyodide could not be loaded from ${base}: ${why}`,
        `Check the internet connection and reload the page. If this comes again: ${FOR_THE_STUDY} `
        + 'With `pycore serve --pyodide DIR` a page gets it from the study\'s own server.');
    }
  }, (bytes) => {
    progress({ step: 'python', fraction: Math.min(bytes / (manifest.pyodide.bytes ?? PYTHON_BYTES), 1), bytes });
  });

  progress({ step: 'core', fraction: null, bytes: 0 });
  const bridge = await importCore(pyodide, 'pycore.bridge', manifest, resolve, warn);
  // An attribute is only borrowed from its proxy: it ends with it unless it is copied.
  const create = bridge.create.copy();
  bridge.destroy();

  const packages = manifest.packages ?? [];
  await patiently(() => loadPackages(pyodide, packages, resolve, (what, done) => {
    progress({ step: 'packages', fraction: done / packages.length, bytes: 0, what });
  }));

  progress({ step: 'game', fraction: null, bytes: 0 });
  const makeEnvironment = await loadGame(pyodide, manifest, resolve);
  const { policies = {}, page_policies: scripts = {}, predictor, stand_in: standIn } = plays ? manifest : /** @type {Partial<Manifest>} */ ({});
  const makePolicies = loadPolicies(pyodide, policies);
  await loadPagePolicies(scripts, resolve);
  const makePredictor = predictor === undefined ? () => undefined : factoryOf(pyodide, predictor, 'load-predictor');
  const makeStandIn = standIn === undefined ? () => undefined : factoryOf(pyodide, standIn, 'load-policy');
  /** @type {Loaded['create']} */
  const createWithPolicies = (config, environment, clock) => {
    const made = [makePolicies(), makePredictor(), makeStandIn()];
    try {
      return create(config, environment, clock, ...made);
    } finally {
      for (const each of made) each?.destroy();
    }
  };

  progress({ step: 'ready', fraction: 1, bytes: 0 });
  return { pyodide, manifest, makeEnvironment, create: createWithPolicies };
}

/**
 * Bring the packages in, in their order, before the game imports them: wheels, and what Pyodide's lock file has, by
 * Pyodide; everything else by micropip.
 *
 * @param {any} pyodide
 * @param {string[]} packages
 * @param {(url: string) => string} resolve
 * @param {(what: string, done: number) => void} progress
 */
export async function loadPackages(pyodide, packages, resolve, progress) {
  for (const [done, name] of packages.entries()) {
    const isWheel = name.endsWith('.whl');
    const shown = isWheel ? (/([^/]+?)-[^/]*$/.exec(name)?.[1] ?? name) : name;
    progress(shown, done);
    try {
      if (isWheel) await loadByPyodide(pyodide, resolve(name));
      else if (isLocked(pyodide, name)) await loadByPyodide(pyodide, name);
      else await loadByMicropip(pyodide, name);
    } catch (error) {
      const here = isWheel || isLocked(pyodide, name);
      const why = here ? sentence(error)
        : `this Pyodide does not have it, and the package index gave none that a browser can use (${sentence(error)})`;
      throw new PageError('load-package', `The package ${shown} could not be loaded: ${why}`,
        `Check the internet connection and reload the page. If this comes again: ${FOR_THE_STUDY} `
        + (here ? '' : 'Packages with C code, such as numpy, come with a full release of Pyodide (`--pyodide`). ')
        + 'With `pycore serve --wheels DIR` a page gets its packages from the study\'s own server.');
    }
  }
}

/** Whether Pyodide has the package itself. @param {any} pyodide @param {string} name */
function isLocked(pyodide, name) {
  const locked = pyodide.lockfile?.packages ?? pyodide._api?.lockfile_packages ?? {};
  return name.toLowerCase().replace(/[-_.]+/g, '-') in locked;
}

/** @param {any} pyodide @param {string} what a name or the URL of a wheel */
async function loadByPyodide(pyodide, what) {
  /** @type {string[]} */
  const wrong = [];
  await pyodide.loadPackage(what, {
    messageCallback: () => {},
    // A package that cannot be fetched is no exception there.
    errorCallback: (/** @type {string} */ message) => wrong.push(message),
  });
  if (wrong.length > 0) throw new Error(wrong.join(' '));
}

/** @param {any} pyodide @param {string} requirement */
async function loadByMicropip(pyodide, requirement) {
  await loadByPyodide(pyodide, 'micropip');
  const micropip = pyodide.pyimport('micropip');
  try {
    await micropip.install(requirement);
  } finally {
    micropip.destroy();
  }
}

/**
 * Bring the game's files in, import it, and make the first environment.
 *
 * @param {any} pyodide
 * @param {Manifest} manifest
 * @param {(url: string) => string} resolve
 * @returns {Promise<() => any>}
 */
async function loadGame(pyodide, manifest, resolve) {
  const { game: file, files = [], factory = 'make_env' } = manifest;
  const found = /^(.*?)([^/]+)\.py$/.exec(file ?? '');
  if (found === null) {
    throw new PageError('load-manifest', `the game in the manifest is not a Python file: ${file}`);
  }
  const [, folder = '', name] = found;
  for (const path of [file, ...files]) {
    // A module of its own name, so that a traceback shows the game's lines.
    const target = path.slice(folder.length);
    const above = target.split('/').slice(0, -1).join('/');
    if (above) pyodide.FS.mkdirTree(above);
    // In an address, a # or a ? of a name is the end of it, and what stands behind a % may be another sign.
    const file = await get(resolve(path.replace(/[#?%]/g, encodeURIComponent)), 'the game');
    pyodide.FS.writeFile(target, new Uint8Array(await file.arrayBuffer()));
  }
  /** @type {any} */
  let game;
  try {
    game = pyodide.pyimport(name);
  } catch (error) {
    const missing = /ModuleNotFoundError: No module named '([^']+)'/.exec(sentence(error))?.[1];
    if (missing === undefined) throw error;
    const module = missing.split('.')[0];
    throw new PageError('load-module', `The game needs the module ${module}, which is not in the page.`,
      `${FOR_THE_STUDY} If ${module} is a package: "packages": ["${module}"] in the study's settings brings it in; `
      + 'a file of the study is found by its import, or named by --with.');
  }
  const make = game[factory]?.copy?.();
  game.destroy();
  if (make === undefined) {
    throw new PageError('load-game', `${file} has no function ${factory}()`);
  }
  let first = make();
  return () => {
    const environment = first ?? make();
    first = null;
    return environment;
  };
}
