// @ts-check
/**
 * One scene's games in the page, from the server's word that there are players to the last order of Python.
 *
 * The page keeps one object for all of them, its *face*, whose fields it reads; here they are set. A game needs three
 * things that come in any order: the core (loaded once), an environment that nobody has used, and the players. It is
 * over when its data is handed over; a game that never begins leaves nothing behind.
 */

import { STEPPED, seconds } from '../core/bridge.js';
import { Core } from '../core/core.js';
import { describe, guard } from '../core/errors.js';
import { Data, gamesBefore } from './data.js';
import { Host } from './host.js';
import { Log, report } from './log.js';
import { PageLoop, paced } from './loop.js';
import { createMonitor } from './monitor.js';
import { hideOverlay, showOverlay } from './overlay.js';
import { Players } from './players.js';
import { PagePython } from './python.js';

const NOT_LOADED = 'The game could not be loaded';
const STARTED = ['playing', 'holding'];
/** A page that logs the frames itself may come to an episode when all is over, where it was hidden. */
const OVER = ['done', 'failed'];

const page = /** @type {any} */ (window);

/** @typedef {import('./entry.js').MultiplayerPyodideGame} Face */

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
  /** Python was told of an exception of this game; the next one is the last. */
  #broke = false;
  #face;
  #python;
  #players;
  #data;
  /** @type {(() => void)[]} */ #playing = [];
  #log = new Log();
  /** @type {import('./monitor.js').Monitor | null} */ #monitor = null;

  /**
   * @param {Face} face the page's object
   * @param {(config: Record<string, any>) => Promise<void>} makeEnvironment by the page's own code
   */
  constructor(face, makeEnvironment) {
    this.#face = face;
    this.#python = new PagePython(face, makeEnvironment, (error) => this.refuse(NOT_LOADED, error));
    this.#players = new Players(face, () => this.#begin());
    this.host = new Host(page.socket, report);
    this.#data = new Data(face, this.host);
    this.loop = new PageLoop(paced(face, this, () => this.#pump()), report);
    this.host.onEvent((event, data, arrival) => {
      if (this.core === null) this.#players.keep({ event, data, arrival });
    });
    this.host.on('pyodide_player_assigned', (data) => this.#assign(data));
    this.host.on('pyodide_game_ready', (data) => {
      if (this.core === null) this.#players.gather(data);
    });
    this.host.on('p2p_validation_repool', () => this.leave());
    this.host.on('continuous_callback_result', (data) => this.#monitor?.answer(data));
  }

  /** Seconds from one tick to the next. */
  get period() {
    return Math.max(0.001, this.core?.bridge.period || 1);
  }

  // ------------------------------------------------------------------ what a game needs

  /** @param {Promise<void>} page the page's own loading */
  async load(page) {
    await this.#python.load(page);
    if (this.#players.ready) this.#begin();
  }

  /**
   * The page wants the environment of a scene.
   *
   * @param {Record<string, any>} config
   */
  async setUp(config) {
    // It asks once more when it starts to draw; a second environment would be another one than the session's.
    if (config === this.#face.config && (this.#python.fresh || this.core !== null)) {
      this.#players.gatherUnannounced();
      return;
    }
    // After a loss of its connection the server begins the scene anew; what stands on the screen may be a code.
    if (this.#python.unusable || (this.terminal && config['scene_id'] === this.scene)) return;
    this.leave();
    this.#face.sceneExited = false;
    // The page looks whether it is done while the environment is made: of this scene nothing is.
    this.#face.state = null;
    await this.#python.make(config);
  }

  /** @returns {string | undefined} the scene's id */
  get scene() {
    return this.#face.config['scene_id'];
  }

  /** @param {any} data */
  #assign(data) {
    this.leave();
    this.#players.assign(data);
    if (this.#python.unusable) this.refuse(NOT_LOADED, new Error('reload the page to try again'));
  }

  async #begin() {
    const python = this.#python;
    if (python.create === null) return;
    const players = this.#players;
    const { assigned } = players;
    const face = this.#face;
    try {
      await python.settled();
      if (players.assigned !== assigned || this.core !== null || !players.ready || this.terminal) return;
      const environment = python.take();
      const core = new Core({
        create: python.create,
        environment,
        config: {
          ...players.config(),
          scene: face.config,
          generation: face.generation,
          session_id: page.sessionId ?? '',
          games_before: gamesBefore(this.scene),
        },
        socket: this.host,
        report,
        onNews: (news) => this.#onNews(news),
        nudge: () => this.loop.nudge(),
      });
      environment.destroy();
      this.core = core;
      this.agents = JSON.parse(core.bridge.call('agents')).map(String);
      core.catchUp(players.takeEarly());
      if (this.#asked) core.bridge.call('page_ready');
      const monitor = face.can.has_monitor ? await createMonitor(face, this.host, this.#told) : null;
      if (this.core !== core || players.assigned !== assigned) return;
      this.#monitor = monitor;
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
      if (core !== null && (STARTED.includes(core.phase) || (face.can.logs_frames && OVER.includes(core.phase)))) {
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
    if (this.core === null || !(flags & STEPPED)) return;
    this.#face.frameNumber = this.core.frame;
    this.#monitor?.look();
  }

  /** What the page's monitor found goes to Python. @type {import('./monitor.js').Tell} */
  #told = (what, ...details) => {
    const { core } = this;
    if (core !== null) core.carryOut(core.bridge.call(what, seconds(), ...details));
  };

  // ------------------------------------------------------------------ Python's orders

  /** @param {import('../core/core.js').News} news */
  #onNews(news) {
    const face = this.#face;
    if (news.news === 'log' || news['do'] === 'log') {
      this.#log.say(news['level'], news['text']);
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
        if (this.core !== null) this.#data.storeEpisode(this.core, news['episode'], news['names']);
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
    if (terminal && this.core !== null) this.#data.storeScene(this.core);
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
    this.#drop();
    hideOverlay();
  }

  #drop() {
    const face = this.#face;
    this.loop.stop();
    this.#abandon();
    // It steps the picture of this game: the next one's must not begin before the page draws it.
    this.loop.callback = null;
    face.timerWorker = null;
    this.core?.close();
    this.core = this.#monitor = null;
    this.#players.forget();
    this.number += 1;
    this.terminal = this.#asked = this.#broke = false;
    this.#data.next();
    face.shouldReset = true;
    face.frameNumber = 0;
    this.#release();
  }

  /**
   * Python or the shim raised in the middle of a game: Python ends it as it ends one whose environment raised, with the
   * data and a word to the others. If that raises too, it is Python that is broken.
   *
   * @param {unknown} error
   */
  fail(error) {
    const { core } = this;
    try {
      if (core === null || core.failed || this.#broke) throw error;
      this.#broke = true;
      report('game', error);
      core.carryOut(core.bridge.call('broke', seconds(), describe(error).message));
    } catch (last) {
      if (this.#face.state === 'done') {
        // What stands on the screen is the end, and may be a code.
        report('game', last);
        this.loop.stop();
        if (core !== null) core.failed = true;
        return;
      }
      this.refuse('Something went wrong in the game', last);
      core?.channels.close();
      // What Python still knows is worth having.
      guard(report, 'metrics', () => this.#face.emitMultiplayerMetrics(this.#face.sceneId))();
    }
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
    const { core } = this;
    if (core !== null) core.failed = true;
    guard(report, 'scene data', () => core === null || this.#data.storeScene(core))();
    showOverlay('ended', title, describe(error).message);
    this.terminal = true;
    face.state = 'done';
    this.#players.withdraw(this.host);
    this.#release();
  }

  /** The page leaves the scene: links are closed, the data can still be read. */
  exit() {
    this.loop.stop();
    this.#abandon();
    this.#face.timerWorker = null;
    this.#players.forget();
    this.core?.channels.close();
    if (!this.terminal) hideOverlay();
  }

  /**
   * The page has made another object and forgets this one.
   *
   * @returns {string | undefined} the scene whose end has to stay on the screen
   */
  close() {
    const ended = this.terminal ? this.scene : undefined;
    this.#drop();
    this.host.close();
    if (ended === undefined) hideOverlay();
    return ended;
  }

  /**
   * What the page's last object has left on the screen.
   *
   * @param {string | undefined} ended a scene
   */
  inherit(ended) {
    if (ended !== undefined && ended === this.scene) this.terminal = true;
    else hideOverlay();
  }
}
