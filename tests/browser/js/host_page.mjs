/** The host page by hand, for tests of the face that it drives: its own modules as stubs, and Python by hand. */

import { register } from 'node:module';

const STUBS = {
  pyodide_remote_game: `export class RemoteGame {
    constructor(config) { this.setAttributes(config); this.initialize(); }
    setAttributes(config) {
      Object.assign(this, {
        config, sceneId: config.scene_id, micropip: null, pyodideReady: false, state: null, num_episodes: 0,
        max_episodes: config.num_episodes, step_num: 0, cumulative_rewards: {}, shouldReset: true,
      });
    }
    async initialize() { this.pyodide = globalThis.pyodide; this.state = 'ready'; this.pyodideReady = true; }
    async reinitialize_environment(config) { this.setAttributes(config); this.state = 'ready'; this.pyodideReady = true; }
    async showEpisodeTransition() {}
    getHUDText() { return ''; }
  }`,
  phaser_gym_graphics: `export const pressedKeys = {};
    export function clearHumanInputBuffers() {}
    export function addStateToBuffer(state) { globalThis.drawn.push(state); }`,
  ui_utils: 'export function showHUD() {} export function hideEpisodeOverlay() {} export function updateHUDText() {}',
};

register(`data:text/javascript,${encodeURIComponent(`
  const stubs = ${JSON.stringify(STUBS)};
  export async function resolve(specifier, context, next) {
    const name = /([a-z_]+)\\.js$/.exec(specifier)?.[1];
    return name in stubs
      ? { url: 'data:text/javascript,' + encodeURIComponent(stubs[name]), shortCircuit: true }
      : next(specifier, context);
  }`)}`);

/** Let everything that was promised happen. */
export const settled = () => new Promise((resolve) => { setImmediate(resolve); });

/**
 * The page's object in a generation of the page; Python's answers are `view`'s, by the name of what is read, and `flags`.
 *
 * @param {'seed' | 'mug'} generation
 */
export async function hostPage(generation, scene = {}) {
  globalThis.drawn = [];
  const element = () => ({ style: {}, dataset: {}, append: () => {}, remove: () => {}, setAttribute: () => {} });
  // The modules have got hold of it when they were loaded.
  globalThis.window ??= new EventTarget();
  Object.assign(window, {
    setTimeout, clearTimeout, sessionId: 's', subjectName: 'ann', sessionStorage: { getItem: () => null, setItem: () => {} },
  });
  delete window.mugGlobals;
  if (generation === 'mug') window.mugGlobals = {};
  globalThis.document = Object.assign(new EventTarget(), {
    hidden: false, getElementById: () => null, createElement: element, body: element(),
  });
  globalThis.Worker = class { postMessage() {} terminate() {} };
  const heard = new Map();
  const emitted = [];
  window.socket = {
    connected: true,
    on: (event, listener) => void heard.set(event, [...(heard.get(event) ?? []), listener]),
    off: (event, listener) => void heard.set(event, (heard.get(event) ?? []).filter((other) => other !== listener)),
    emit: (event, data) => void emitted.push([event, data]),
    timeout: () => ({ emit: (event, data, reply) => { emitted.push([event, data]); reply(null, { status: 'ok' }); } }),
  };
  const buffer = () => {
    const data = new Uint8Array(1 << 16);
    return { data, getBuffer: () => ({ data, release() {} }), destroy() {} };
  };
  const python = { view: /** @type {Record<string, any>} */ ({}), agents: [0], flags: 0, made: 0, words: new DataView(new ArrayBuffer(0)) };
  const create = () => {
    const outbox = buffer();
    python.made += 1;
    python.words = new DataView(outbox.data.buffer);
    python.words.setFloat64(0, 0.001, true);
    const view = new Proxy({}, { get: (_, name) => (name === 'destroy' ? () => {} : (...given) => {
      const said = python.view[name];
      return typeof said === 'function' ? said(...given) : said;
    }) });
    return {
      link_count: 0, inbox: buffer(), outbox, view, poll: () => 16, advance: () => python.flags, outbox_length: () => 16,
      agents: () => JSON.stringify(python.agents), page_ready: () => undefined, set_wall_ms: () => undefined, broke: () => 16, abandon: () => 16,
      close: () => undefined, destroy: () => {},
    };
  };
  globalThis.pyodide = {
    globals: { get: () => ({ destroy: () => {} }) },
    runPython: (text) => (text.includes('find_spec') ? true : '1'),
    pyimport: () => ({ create: { copy: () => create }, destroy: () => {} }),
  };
  globalThis.fetch = async () => new Response('{"version": "1"}');
  const { MultiplayerPyodideGame } = await import('../../../web/interactive_gym/entry.js');
  const face = new MultiplayerPyodideGame({ scene_id: 'arena', num_episodes: 1, ...scene });
  for (let turn = 0; turn < 20 && !face.pyodideReady; turn += 1) await settled();
  /** @param {string} event @param {any} data */
  const says = (event, data) => (heard.get(event) ?? []).forEach((listener) => listener(data));
  /** Two are matched, and all is there. */
  const begins = async () => {
    says('pyodide_player_assigned', { player_id: 0, game_id: 'g', game_seed: 1 });
    says('pyodide_game_ready', { game_id: 'g', players: [0, 1] });
    for (let turn = 0; turn < 20 && face.core === null; turn += 1) await settled();
  };
  /** @param {number} phase by its number */
  const enters = (phase) => python.words.setInt32(12, phase, true);
  return { face, python, says, begins, enters, emitted };
}
