// @ts-check
/**
 * One scene's games in the page, from the server's word that there are players to the last order of Python.
 *
 * The page keeps one object for all of them, its *face*, whose fields it reads; here they are set. A game needs three
 * things that come in any order: the core (loaded once), an environment that nobody has used, and the players. It is
 * over when its data is handed over; a game that never begins leaves nothing behind.
 */

import { STEPPED, seconds } from './bridge.js';
import { Core } from './core.js';
import { describe, guard } from './errors.js';
import { Host } from './host.js';
import { importCore } from './loader.js';
import { hideOverlay, showOverlay } from './overlay.js';
import { storeEpisode, storeScene } from './page_data.js';
import { PageLoop } from './page_loop.js';
import { createMonitor } from './page_monitor.js';

/** Events of the page's server that Python hears. */
const EVENTS = [
  'pyodide_other_player_action', 'webrtc_signal', 'end_game', 'p2p_pause', 'p2p_resume', 'p2p_game_ended',
  'partner_excluded', 'trigger_data_export',
];
/** 0.1.3's server waits for bots as if they were players and never says that the game is ready, ms. */
const NEVER_READY = 1000;

const STARTED = ['playing', 'holding'];
/** The seed's page logs the frames itself: where it was hidden it may come to an episode when all is over. */
const OVER = ['done', 'failed'];

const page = /** @type {any} */ (window);

/** @param {string} where @param {unknown} error */
export function report(where, error) {
  const { code, message, details } = describe(error);
  console.error(`[pycore] ${where}: ${code}: ${message}\n${details}`);
}

/** @typedef {import('./interactive_gym.js').MultiplayerPyodideGame} Face */

export class PageGame {
  /** @type {Core | null} */ core = null;
  /** Whose actions a step takes: the own id, then the page's bots on the lowest seat. @type {string[]} */
  agents = [];
  /** Counts the games, so that whoever waits for one knows when it is over. */
  number = 0;
  /** The page's reset() was called for the next episode. */
  #asked = false;
  /** A reset() of the page waits for the episode to begin. */
  resetting = false;
  /** This page stays where it is. */
  terminal = false;
  #face;
  /** Whether the environment has not been used. */
  #fresh = true;
  /** @type {any} */ #create = null;
  /** @type {Promise<unknown>} */ #made = Promise.resolve();
  /** @type {any} */ #assigned = null;
  /** @type {any} */ #ready = null;
  /** @type {{event: string, data: unknown, arrival: number}[]} */ #early = [];
  /** @type {(() => void)[]} */ #playing = [];
  /** Of the log, for the end of the tick. @type {string[]} */ #lines = [];
  /** @type {import('./page_monitor.js').Monitor | null} */ #monitor = null;
  #makeEnvironment;

  /**
   * @param {Face} face the page's object
   * @param {(config: Record<string, any>) => Promise<void>} makeEnvironment by the page's own code
   */
  constructor(face, makeEnvironment) {
    this.#face = face;
    this.#makeEnvironment = makeEnvironment;
    this.host = new Host(page.socket, EVENTS, report);
    this.loop = new PageLoop(this.#paced(), report);
    this.host.onEvent((event, data, arrival) => {
      if (this.core === null && this.#assigned !== null) this.#early.push({ event, data, arrival });
    });
    this.host.on('pyodide_player_assigned', (data) => this.#assign(data));
    this.host.on('pyodide_game_ready', (data) => this.#gameReady(data));
    this.host.on('p2p_validation_repool', () => this.leave());
    this.host.on('continuous_callback_result', (data) => this.#monitor?.answer(data));
  }

  /** @returns {import('./page_loop.js').Paced} */
  #paced() {
    const game = this;
    const face = this.#face;
    return {
      generation: face.generation,
      get isProcessingTick() {
        return face.isProcessingTick;
      },
      set isProcessingTick(busy) {
        face.isProcessingTick = busy;
      },
      get waits() {
        return game.resetting || face.state === 'done' || face.sceneExited;
      },
      get period() {
        return game.period;
      },
      pump: () => game.#pump(),
    };
  }

  /** Seconds from one tick to the next. */
  get period() {
    return Math.max(0.001, this.core?.bridge.period || 1);
  }

  // ------------------------------------------------------------------ what a game needs

  /** Bring the core into the page's Pyodide, unless the study's packages did. */
  async loadCore() {
    const base = import.meta.url;
    const manifest = await (await fetch(new URL('./manifest.json', base))).json();
    const { pyodide } = this.#face;
    const name = 'pycore.interactive_gym.game';
    /** @param {string} message */
    const warn = (message) => console.warn(`[pycore] ${message}`);
    let module;
    if (pyodide.runPython('import importlib.util; importlib.util.find_spec("pycore") is not None')) {
      const version = pyodide.runPython('import pycore; pycore.__version__');
      if (version !== manifest.version) {
        throw new Error(`packages_to_install brings pycore ${version}, the page has ${manifest.version}; use the same`);
      }
      module = pyodide.pyimport(name);
    } else module = await importCore(pyodide, name, manifest, (url) => new URL(url, base).href, warn);
    this.#create = module.create.copy();
    module.destroy();
    if (this.#ready !== null) this.#begin();
  }

  /**
   * The page wants the environment of a scene.
   *
   * @param {Record<string, any>} config
   */
  async setUp(config) {
    // It asks once more when it starts to draw; a second environment would be another one than the session's.
    if (config === this.#face.config && (this.#fresh || this.core !== null || this.terminal)) {
      this.#deriveReady();
      return;
    }
    this.leave();
    this.#face.sceneExited = false;
    // The page looks whether it is done while the environment is made: of this scene nothing is.
    this.#face.state = null;
    await this.#remake(config);
  }

  /** @param {Record<string, any>} config */
  async #remake(config) {
    this.#fresh = true;
    this.#made = this.#makeEnvironment(config).catch((error) => this.refuse('The game could not be loaded', error));
    await this.#made;
  }

  /** @param {any} data */
  #assign(data) {
    this.leave();
    this.#assigned = data;
    this.#face.myPlayerId = data.player_id;
    this.#face.gameId = data.game_id;
    this.#face.gameSeed = data.game_seed;
  }

  /** @param {any} data */
  #gameReady(data) {
    if (data.game_id !== this.#assigned?.game_id || this.core !== null) return;
    this.#ready = data;
    this.#face.playerSubjects = data.player_subjects ?? {};
    if (this.#create !== null) this.#begin();
  }

  /** The page draws the game, so its players are complete: go on without the server's word, which may never come. */
  #deriveReady() {
    const assigned = this.#assigned;
    if (this.#ready !== null || assigned === null) return;
    window.setTimeout(guard(report, 'players', () => {
      if (this.#ready !== null || this.#assigned !== assigned) return;
      const policies = Object.entries(this.#face.config['policy_mapping'] ?? {});
      const people = policies.filter(([, policy]) => policy === 'human').map(([id]) => id);
      const numbers = typeof assigned.player_id === 'number';
      this.#gameReady({ game_id: assigned.game_id, players: numbers ? people.map(Number) : people, relayed: false });
    }), NEVER_READY);
  }

  async #begin() {
    const assigned = this.#assigned;
    const face = this.#face;
    try {
      await this.#made;
      if (!this.#fresh) await this.#remake(face.config);
      if (this.#assigned !== assigned || this.core !== null || this.#ready === null) return;
      const ready = this.#ready;
      const environment = face.pyodide.globals.get('env');
      this.#fresh = false;
      const core = new Core({
        create: this.#create,
        environment,
        config: {
          scene: face.config,
          generation: face.generation,
          game_id: assigned.game_id,
          players: ready.players,
          player_id: assigned.player_id,
          seed: assigned.game_seed,
          turn_config: ready.turn_config ?? null,
          player_subjects: face.playerSubjects,
          session_id: page.sessionId ?? '',
          relayed: ready.relayed !== false,
        },
        socket: this.host,
        report,
        onNews: (news) => this.#onNews(news),
        nudge: () => this.loop.nudge(),
      });
      environment.destroy();
      this.core = core;
      this.agents = JSON.parse(core.bridge.call('agents')).map(String);
      core.catchUp(this.#early);
      this.#early = [];
      if (this.#asked) core.bridge.call('page_ready');
      this.#monitor = face.generation === 'mug' ? await createMonitor(face, this.host, this.#exclude) : null;
      face.timerWorker = this.loop;
      this.loop.start();
    } catch (error) {
      this.refuse('The game cannot be played here', error);
    }
  }

  // ------------------------------------------------------------------ while it runs

  /** The page asks for the next episode. */
  ask() {
    this.#asked = true;
    this.core?.bridge.call('page_ready');
  }

  /**
   * Wait for the episode to begin.
   *
   * @returns {Promise<Core | null>} null if it never does
   */
  async begun() {
    const { number } = this;
    const face = this.#face;
    while (face.state !== 'done' && number === this.number) {
      const { core } = this;
      if (core !== null && (STARTED.includes(core.phase) || (face.generation === 'seed' && OVER.includes(core.phase)))) {
        return core;
      }
      await new Promise((resolve) => void this.#playing.push(/** @type {() => void} */ (resolve)));
    }
    return null;
  }

  /** Whoever waits for an episode to begin looks again. */
  #release() {
    const waiting = this.#playing;
    this.#playing = [];
    for (const resolve of waiting) resolve();
  }

  /** A tick without the page: nobody presses keys. */
  #pump() {
    const { core } = this;
    if (core === null || core.failed) return;
    try {
      core.sendInputToOtherPlayers(null);
      this.note(core.advance());
    } catch (error) {
      this.fail(error);
    }
  }

  /** @param {number} flags of a tick */
  note(flags) {
    if (this.#lines.length > 0) {
      // The page sends every call of the console to its server; a tick with a rollback has up to ten lines.
      console.info(this.#lines.join('\n'));
      this.#lines = [];
    }
    if (this.core === null || !(flags & STEPPED)) return;
    this.#face.frameNumber = this.core.frame;
    this.#monitor?.look();
  }

  /** @type {(reason: string, message: string) => void} */
  #exclude = (reason, message) => {
    const { core } = this;
    if (core !== null) core.carryOut(core.bridge.call('exclude', seconds(), reason, message));
  };

  // ------------------------------------------------------------------ Python's orders

  /** @param {import('./core.js').News} news */
  #onNews(news) {
    const face = this.#face;
    const level = news['level'];
    if (news.news === 'log' || news['do'] === 'log') {
      if (level === 'error') console.error(news['text']);
      else if (level === 'warning') console.warn(news['text']);
      else this.#lines.push(news['text']);
      return;
    }
    if (news.news === 'desync') report('desync', new Error(`the players' games differ from frame ${news['frame']} on`));
    if (news.news !== 'page') return;
    switch (news['do']) {
      case 'playing':
        this.#release();
        break;
      case 'reset':
        face.num_episodes = news['episodes'];
        face.frameNumber = face.step_num = 0;
        this.#asked = false;
        face.shouldReset = true;
        break;
      case 'episode':
        // The seed's page stores what step() returns; this one stores what it is sent.
        if (this.core !== null && face.generation === 'mug') {
          storeEpisode(this.host, this.core, face.sceneId, news['episode'], news['parts'], report);
        }
        break;
      case 'metrics':
        face.emitMultiplayerMetrics(face.sceneId);
        break;
      case 'overlay':
        if (news['kind']) showOverlay(news['kind'], news['title'], news['text'], news['code']);
        else hideOverlay();
        break;
      case 'finish':
        this.#finish(news['terminal']);
        break;
      case 'quit':
        this.loop.stop();
        this.core?.channels.close();
        break;
      default:
        report('order', new Error(`Python asks for ${news['do']}, which is unknown here`));
    }
  }

  /** @param {boolean} terminal */
  #finish(terminal) {
    const face = this.#face;
    this.terminal ||= terminal;
    this.#monitor?.pause();
    // The seed's page stores nothing where it stays.
    if (terminal && face.generation === 'seed' && this.core !== null) {
      storeScene(this.host, this.core, face.config['scene_id']);
    }
    if (!this.terminal) face.num_episodes = Math.max(face.num_episodes, face.max_episodes);
    face.state = 'done';
    this.#release();
    if (!this.terminal && face.onGameDone !== null) guard(report, 'onGameDone', face.onGameDone)();
  }

  // ------------------------------------------------------------------ the ends

  /** The page goes elsewhere: what is being played ends here, with its data. */
  #abandon() {
    const { core } = this;
    if (core === null || core.failed) return;
    guard(report, 'abandon', () => core.carryOut(core.bridge.call('abandon', seconds())))();
  }

  /** Nothing more of this game: it never began, or the next one begins. */
  leave() {
    const face = this.#face;
    this.loop.stop();
    this.#abandon();
    // It steps the picture of this game: the next one's must not begin before the page draws it.
    this.loop.callback = null;
    face.timerWorker = null;
    this.core?.close();
    this.core = this.#assigned = this.#ready = this.#monitor = null;
    this.#early = [];
    this.number += 1;
    this.terminal = this.#asked = false;
    face.shouldReset = true;
    face.frameNumber = 0;
    this.#release();
    hideOverlay();
  }

  /** @param {unknown} error of Python or of the shim, in the middle of the game */
  fail(error) {
    this.refuse('Something went wrong in the game', error);
    this.core?.channels.close();
    // What Python still knows is worth having; it may be Python that broke.
    guard(report, 'metrics', () => this.#face.emitMultiplayerMetrics(this.#face.sceneId))();
  }

  /**
   * The game cannot be played, and the page must not stand still.
   *
   * @param {string} title
   * @param {unknown} error
   */
  refuse(title, error) {
    const face = this.#face;
    report(title, error);
    this.loop.stop();
    if (this.core !== null) this.core.failed = true;
    showOverlay('ended', title, describe(error).message);
    this.terminal = true;
    face.state = 'done';
    this.host.emit('participant_terminal_state', {
      game_id: face.gameId, scene_id: face.sceneId, reason: 'error', frame_number: face.frameNumber,
      episode_number: face.num_episodes,
    });
    // The others need not wait for us.
    this.host.emit('leave_game', { session_id: page.sessionId });
    this.#release();
  }

  /** The page leaves the scene: links are closed, the data can still be read. */
  exit() {
    this.loop.stop();
    this.#abandon();
    this.#face.timerWorker = null;
    this.core?.channels.close();
    if (!this.terminal) hideOverlay();
  }

  /** The page has made another object and forgets this one. */
  close() {
    this.leave();
    this.host.close();
  }
}
