// @ts-check
/**
 * Python in the page: the core, brought into its Pyodide once, and for each game an environment that nobody has used.
 *
 * Loading and making are the page's own code. What is here is their order: no environment before Python is there, none
 * that a game has used already, and nobody joins a game before both are ready.
 */

import { get } from '../core/fetching.js';
import { importCore } from '../core/loader.js';

const MODULE = 'pycore.interactive_gym.game';

/** @typedef {import('./entry.js').MultiplayerPyodideGame} Face */

export class PagePython {
  /** The function of that name in `MODULE`, once it is there. @type {any} */ create = null;
  /** It could not be loaded: no scene can be played. */
  unusable = false;
  /** Whether the environment has not been used. */
  fresh = true;
  #face;
  #make;
  #failed;
  /** @type {Promise<unknown>} */ #made = Promise.resolve();
  #wasLoaded = () => {};
  /** Python is there, or never will be. @type {Promise<void>} */
  #loaded = new Promise((resolve) => void (this.#wasLoaded = resolve));

  /**
   * @param {Face} face the page's object
   * @param {(config: Record<string, any>) => Promise<void>} make an environment, by the page's own code
   * @param {(error: unknown) => void} failed
   */
  constructor(face, make, failed) {
    this.#face = face;
    this.#make = make;
    this.#failed = failed;
  }

  /** @param {Promise<void>} page the page's own loading */
  async load(page) {
    const face = this.#face;
    try {
      await page;
      // It lets people join from here on.
      face.pyodideReady = false;
      await this.#loadCore();
      face.pyodideReady = true;
    } catch (error) {
      this.unusable = true;
      this.#failed(error);
    } finally {
      this.#wasLoaded();
    }
  }

  /** Unless the study's packages brought it. */
  async #loadCore() {
    const base = new URL('../', import.meta.url).href;
    const manifest = await (await get(new URL('./manifest.json', base).href, "pycore's list of files")).json();
    const { pyodide } = this.#face;
    /** @param {string} message */
    const warn = (message) => console.warn(`[pycore] ${message}`);
    let module;
    if (pyodide.runPython('import importlib.util; importlib.util.find_spec("pycore") is not None')) {
      const version = pyodide.runPython('import pycore; pycore.__version__');
      if (version !== manifest.version) {
        throw new Error(`packages_to_install brings pycore ${version}, the page has ${manifest.version}; use the same`);
      }
      module = pyodide.pyimport(MODULE);
    } else module = await importCore(pyodide, MODULE, manifest, (url) => new URL(url, base).href, warn);
    this.create = module.create.copy();
    module.destroy();
  }

  /** @param {Record<string, any>} config the scene whose environment is made, behind those that are asked for already */
  async make(config) {
    this.fresh = true;
    this.#made = Promise.all([this.#loaded, this.#made]).then(() => (this.unusable ? undefined : this.#make(config))).catch(this.#failed);
    await this.#made;
  }

  /** An environment is being made, or the last one was used: wait for a fresh one. */
  async settled() {
    /** @type {Promise<unknown>} */ let made;
    do {
      made = this.#made;
      await made;
      if (!this.fresh) await this.make(this.#face.config);
    } while (made !== this.#made);
  }

  /** @returns {any} the environment, which counts as used from here on; the proxy is the caller's */
  take() {
    this.fresh = false;
    return this.#face.pyodide.globals.get('env');
  }
}
