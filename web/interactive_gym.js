// @ts-check
/**
 * pycore in the place of the interactive_gym page's multiplayer module, for both generations of the page.
 *
 * The page makes one `MultiplayerPyodideGame`, drives it through `reset()` and `step()` and reads its fields. This
 * class hands everything to Python (`pycore.interactive_gym`) and carries out its orders; it decides nothing about
 * the game. Pyodide, the socket.io connection, the environment and the renderer are the page's own.
 *
 * Who owns the loop: the page of 0.1.3 lets us call it (`registerTickCallback`), so the ticks are ours, in a hidden
 * page too. The seed's page calls `step()` from its renderer; what is not due yet is answered with null, and while
 * the page does not call at all (hidden), the ticks go on without it, with the default action.
 *
 * What may not happen: an exception out of `reset()` or `step()`. The page does not catch it and stands still.
 */

import { RemoteGame } from '../pyodide_remote_game.js';
import * as graphics from '../phaser_gym_graphics.js';
import * as ui from '../ui_utils.js';
import { RESIMULATED, STEPPED, seconds } from './bridge.js';
import { Core } from './core.js';
import { describe, guard } from './errors.js';
import { Host } from './host.js';
import { importCore } from './loader.js';
import { hideOverlay, showOverlay } from './overlay.js';
import { observationMap, renderState } from './results.js';
import { Ticker } from './timer.js';

/** Events of the page's server that Python hears. */
const EVENTS = [
  'pyodide_other_player_action', 'webrtc_signal', 'end_game', 'p2p_pause', 'p2p_resume', 'p2p_game_ended',
  'partner_excluded', 'trigger_data_export',
];
/** A page of 0.1.3 whose step takes longer than this is given up for the moment, s. */
const STUCK = 1;
/** The seed's page is late, not gone, for so many periods. */
const PATIENCE = 2.5;
/** Frames between two looks of the page's monitor. */
const MONITOR_FRAMES = 30;
/** mug's server waits for bots as if they were players and never says that the game is ready, ms. */
const NEVER_READY = 1000;

const page = /** @type {any} */ (window);

/** @param {string} where @param {unknown} error */
function report(where, error) {
  const { code, message, details } = describe(error);
  console.error(`[pycore] ${where}: ${code}: ${message}\n${details}`);
}

/** The page's newest game: with `restart_pyodide` it makes one per scene and forgets the last. @type {(() => void) | null} */
let disposeOfLast = null;

/** A key that is down when the page is left never comes up for the page, which would press it until it is hit again. */
function releaseKeys() {
  for (const key of Object.keys(graphics.pressedKeys ?? {})) {
    document.dispatchEvent(new KeyboardEvent('keyup', { key, bubbles: true }));
  }
  graphics.clearHumanInputBuffers?.();
}

export class MultiplayerPyodideGame extends RemoteGame {
  /** @type {Core | null} */ #core = null;
  /** @type {any} */ #create = null;
  /** @type {Promise<unknown>} */ #loaded = Promise.resolve();
  /** @type {any} */ #assigned = null;
  /** @type {any} */ #ready = null;
  /** @type {{event: string, data: unknown, arrival: number}[]} */ #early = [];
  /** @type {(() => unknown) | null} */ #tickCallback = null;
  /** @type {string[]} */ #agents = [];
  #host;
  #ticker;
  #games = 0;
  #fresh = true;
  #asked = false;
  #resetting = false;
  #steppedAt = 0;
  #due = 0;
  #finishing = false;
  #terminal = false;
  #hud = '';
  /** @type {(() => void)[]} */ #playing = [];
  /** @type {import('../continuous_monitor.js').ContinuousMonitor | null} */ #monitor = null;

  /** @param {Record<string, any>} config the scene's metadata */
  constructor(config) {
    // The page's class begins to load here, before anything below exists.
    super(config);
    this.generation = 'mugGlobals' in window ? 'mug' : 'seed';
    this.myPlayerId = config['player_id'];
    this.gameId = config['game_id'];
    /** @type {number | null} */ this.gameSeed = null;
    /** @type {Record<string, string>} */ this.playerSubjects = {};
    this.frameNumber = 0;
    this.isProcessingTick = false;
    this.sceneExited = false;
    /** @type {(() => void) | null} */ this.onGameDone = null;
    /** Truthy tells the page of 0.1.3 that its own loop has only to draw. @type {object | null} */
    this.timerWorker = null;
    this.#host = new Host(page.socket, EVENTS, report);
    this.#host.onEvent((event, data, arrival) => {
      if (this.#core === null && this.#assigned !== null) this.#early.push({ event, data, arrival });
    });
    this.#ticker = new Ticker(() => this.#tick(), seconds, report);
    const look = guard(report, 'visibility', () => {
      if (document.hidden) releaseKeys();
    });
    document.addEventListener('visibilitychange', look);
    // Two that listen would both play the next game.
    disposeOfLast?.();
    disposeOfLast = () => {
      document.removeEventListener('visibilitychange', look);
      this.#leave();
      this.#host.close();
    };
    this.#host.on('pyodide_player_assigned', (data) => this.#assign(data));
    this.#host.on('pyodide_game_ready', (data) => this.#gameReady(data));
    this.#host.on('p2p_validation_repool', () => this.#leave());
    this.#host.on('continuous_callback_result', (data) => {
      this.#monitor?.setCallbackPending(false);
      this.#monitor?.setCallbackResult(data);
    });
  }

  // ------------------------------------------------------------------ loading

  /** @param {Record<string, any>} config */
  setAttributes(config) {
    const { micropip } = this;
    super.setAttributes(config);
    // The page's own forgets it and then needs it for the next scene's packages.
    this.micropip ??= micropip;
  }

  async initialize() {
    try {
      await super.initialize();
      await this.#loadCore();
    } catch (error) {
      this.#refuse('The game could not be loaded', error);
    }
  }

  async #loadCore() {
    const base = import.meta.url;
    const manifest = await (await fetch(new URL('./manifest.json', base))).json();
    const { pyodide } = this;
    /** @param {string} message */
    const warn = (message) => console.warn(`[pycore] ${message}`);
    let module;
    if (pyodide.runPython('import importlib.util; importlib.util.find_spec("pycore") is not None')) {
      const version = pyodide.runPython('import pycore; pycore.__version__');
      if (version !== manifest.version) {
        throw new Error(`packages_to_install brings pycore ${version}, the page has ${manifest.version}; use the same`);
      }
      module = pyodide.pyimport('pycore.interactive_gym.game');
    } else {
      module = await importCore(pyodide, 'pycore.interactive_gym.game', manifest, (url) => new URL(url, base).href, warn);
    }
    this.#create = module.create.copy();
    module.destroy();
    if (this.#ready !== null) this.#begin();
  }

  /** @param {Record<string, any>} config */
  async reinitialize_environment(config) {
    // The page asks once more when it starts to draw; a second environment would be another one than the session's.
    if (config === this.config && (this.#fresh || this.#core !== null || this.#terminal)) {
      this.#deriveReady();
      return;
    }
    this.#leave();
    this.sceneExited = false;
    await this.#makeEnvironment(config);
  }

  /** @param {Record<string, any>} config */
  async #makeEnvironment(config) {
    this.#fresh = true;
    this.#loaded = super.reinitialize_environment(config)
      .catch((error) => this.#refuse('The game could not be loaded', error));
    await this.#loaded;
  }

  // ------------------------------------------------------------------ the game begins

  /** @param {any} data */
  #assign(data) {
    this.#leave();
    this.#assigned = data;
    this.myPlayerId = data.player_id;
    this.gameId = data.game_id;
    this.gameSeed = data.game_seed;
  }

  /** @param {any} data */
  #gameReady(data) {
    if (data.game_id !== this.#assigned?.game_id || this.#core !== null) return;
    this.#ready = data;
    this.playerSubjects = data.player_subjects ?? {};
    if (this.#create !== null) this.#begin();
  }

  /** The page draws the game, so its players are complete: go on without the server's word, which may never come. */
  #deriveReady() {
    const assigned = this.#assigned;
    if (this.#ready !== null || assigned === null) return;
    window.setTimeout(() => {
      if (this.#ready !== null || this.#assigned !== assigned) return;
      const people = Object.entries(this.config['policy_mapping'] ?? {}).filter(([, policy]) => policy === 'human');
      const numbers = typeof assigned.player_id === 'number';
      this.#gameReady({
        game_id: assigned.game_id,
        players: people.map(([id]) => (numbers ? Number(id) : id)),
        relayed: false,
      });
    }, NEVER_READY);
  }

  async #begin() {
    const assigned = this.#assigned;
    try {
      await this.#loaded;
      if (!this.#fresh) await this.#makeEnvironment(this.config);
      if (this.#assigned !== assigned || this.#core !== null || this.#ready === null) return;
      const ready = this.#ready;
      const environment = this.pyodide.globals.get('env');
      this.#fresh = false;
      const core = new Core({
        create: this.#create,
        environment,
        config: {
          scene: this.config,
          generation: this.generation,
          game_id: assigned.game_id,
          players: ready.players,
          player_id: assigned.player_id,
          seed: assigned.game_seed,
          turn_config: ready.turn_config ?? null,
          player_subjects: this.playerSubjects,
          session_id: page.sessionId ?? '',
          relayed: ready.relayed !== false,
        },
        socket: this.#host,
        report,
        onNews: (news) => this.#onNews(news),
        nudge: () => this.#ticker.nudge(),
      });
      environment.destroy();
      this.#core = core;
      this.#agents = JSON.parse(core.bridge.call('agents')).map(String);
      core.catchUp(this.#early);
      this.#early = [];
      if (this.#asked) core.bridge.call('page_ready');
      await this.#watch();
      this.timerWorker = this.#ticker;
      this.#ticker.start();
    } catch (error) {
      this.#refuse('The game cannot be played here', error);
    }
  }

  /** The page's own monitor of ping and visibility, if the study wants it. */
  async #watch() {
    this.#monitor = null;
    if (this.generation !== 'mug' || !this.config['continuous_monitoring_enabled']) return;
    const { ContinuousMonitor } = await import('../continuous_monitor.js');
    this.#monitor = new ContinuousMonitor(this.config);
  }

  /** Nothing more of this game: it never began, or the next one begins. */
  #leave() {
    this.#ticker.stop();
    this.timerWorker = null;
    this.#core?.close();
    this.#core = this.#assigned = this.#ready = null;
    this.#early = [];
    this.#games += 1;
    this.#finishing = this.#terminal = this.#asked = false;
    this.shouldReset = true;
    this.frameNumber = 0;
    this.#release();
    hideOverlay();
  }

  /**
   * The game cannot go on, and the page must not stand still.
   *
   * @param {string} title
   * @param {unknown} error
   */
  #refuse(title, error) {
    report(title, error);
    const { message } = describe(error);
    this.#ticker.stop();
    if (this.#core !== null) this.#core.failed = true;
    showOverlay('ended', title, message);
    this.#terminal = true;
    this.state = 'done';
    this.#host.emit('participant_terminal_state', {
      game_id: this.gameId, scene_id: this.sceneId, reason: 'error', frame_number: this.frameNumber,
      episode_number: this.num_episodes,
    });
    // The others need not wait for us.
    this.#host.emit('leave_game', { session_id: page.sessionId });
    this.#release();
  }

  /** Let a reset() that waits go on. */
  #release() {
    const waiting = this.#playing;
    this.#playing = [];
    for (const resolve of waiting) resolve();
  }

  // ------------------------------------------------------------------ the loop

  /** @returns {number} period, s; below zero if the page was still at work */
  #tick() {
    const core = this.#core;
    if (core === null) return 1;
    const period = Math.max(0.001, core.bridge.period || 1);
    const now = seconds();
    const quiet = now - this.#steppedAt;
    if (this.generation === 'seed') {
      if (this.#resetting || this.state === 'done' || document.hidden || quiet > PATIENCE * period) this.#pump();
      return period;
    }
    if (this.state === 'done' || this.#resetting || this.#tickCallback === null || this.sceneExited) {
      this.#pump();
      return period;
    }
    if (this.isProcessingTick) {
      if (quiet > STUCK) this.#pump();
      return -period;
    }
    this.isProcessingTick = true;
    Promise.resolve(this.#tickCallback()).catch((error) => report('page tick', error)).finally(() => {
      this.isProcessingTick = false;
      this.#ticker.wake();
    });
    return period;
  }

  /** A tick without the page: nobody presses keys. */
  #pump() {
    const core = this.#core;
    if (core === null || core.failed) return;
    try {
      this.#steppedAt = seconds();
      core.sendInputToOtherPlayers(null);
      this.#noteStep(core.advance());
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {unknown} error of Python or of the shim */
  #fail(error) {
    this.#refuse('Something went wrong in the game', error);
    this.#core?.channels.close();
    // What Python still knows is worth having; it may be Python that broke.
    guard(report, 'metrics', () => this.emitMultiplayerMetrics(this.sceneId))();
  }

  /** @param {number} flags */
  #noteStep(flags) {
    const core = this.#core;
    if (core === null || !(flags & STEPPED)) return;
    this.frameNumber = core.frame;
    this.#look();
  }

  /** Let the page's monitor look. */
  #look() {
    const monitor = this.#monitor;
    if (monitor === null || this.#core === null) return;
    if (monitor.shouldExecuteCallback()) {
      monitor.setCallbackPending(true);
      this.#host.emit('execute_continuous_callback', {
        session_id: page.sessionId,
        scene_id: this.sceneId,
        context: {
          ping: page.currentPing || 0,
          is_tab_hidden: document.hidden,
          tab_hidden_duration_ms: monitor.tabHiddenAt ? Date.now() - monitor.tabHiddenAt : 0,
          frame_number: this.frameNumber,
          episode_number: this.num_episodes,
        },
      });
    }
    if (this.frameNumber % MONITOR_FRAMES !== 0) return;
    if (page.currentPing !== undefined) monitor.recordPing(page.currentPing);
    const { exclude, warn, reason, message } = monitor.check();
    if (exclude) {
      monitor.pause();
      this.#core.carryOut(this.#core.bridge.call('exclude', seconds(), reason ?? '', message ?? ''));
    } else if (warn) showOverlay('warning', 'Please note', message ?? '');
  }

  // ------------------------------------------------------------------ Python's orders

  /** @param {import('./core.js').News} news */
  #onNews(news) {
    const level = news['level'];
    if (news.news === 'log' || news['do'] === 'log') {
      if (level === 'error') console.error(news['text']);
      else if (level === 'warning') console.warn(news['text']);
      else console.info(news['text']);
      return;
    }
    if (news.news === 'desync') report('desync', new Error(`the players' games differ from frame ${news['frame']} on`));
    if (news.news !== 'page') return;
    switch (news['do']) {
      case 'playing':
        this.#release();
        break;
      case 'reset':
        this.num_episodes = news['episodes'];
        this.frameNumber = this.step_num = 0;
        this.#asked = false;
        this.shouldReset = true;
        break;
      case 'episode':
        for (let part = 0; part < news['parts']; part += 1) this.#storeEpisode(news['episode'], part);
        break;
      case 'metrics':
        this.emitMultiplayerMetrics(this.sceneId);
        break;
      case 'overlay':
        if (news['kind']) showOverlay(news['kind'], news['title'], news['text'], news['code']);
        else hideOverlay();
        break;
      case 'finish':
        this.#finish(news['terminal']);
        break;
      case 'quit':
        this.#ticker.stop();
        this.#core?.channels.close();
        break;
      default:
        report('order', new Error(`Python asks for ${news['do']}, which is unknown here`));
    }
  }

  /** @param {number} episode @param {number} part an episode too long for one message comes in several */
  #storeEpisode(episode, part) {
    const core = this.#core;
    // The seed's page stores what step() returns; this one stores what it is sent.
    if (core === null || this.generation === 'seed') return;
    const data = JSON.parse(core.bridge.call('episode_data', episode, part));
    this.#logSummary(episode, data.t.length);
    this.#host.store('emit_episode_data', {
      data: page.msgpack.encode(data),
      scene_id: this.sceneId,
      // The server makes the file's name of it: …_ep0.csv, …_ep0.part2.csv.
      episode_num: part === 0 ? episode : `${episode}.part${part + 1}`,
      session_id: page.sessionId,
      subject_id: page.subjectName || page.mugGlobals?.subjectName,
      mugGlobals: page.mugGlobals,
    }).catch((error) => report('episode data', error));
  }

  /** @param {number} episode @param {number} frames */
  #logSummary(episode, frames) {
    const { inputs, rollbacks, connection, quality } = this.exportSessionMetrics();
    console.info(`[P2P] Episode ${episode} complete: ${frames} frames, rollbacks ${rollbacks.count}`
      + ` (max ${rollbacks.maxFrames}), sent ${inputs.sentViaP2P} p2p / ${inputs.sentViaSocketIO} socket.io,`
      + ` received ${inputs.receivedViaP2P} / ${inputs.receivedViaSocketIO}, connection ${connection.type}`
      + (quality.p2pFallbackTriggered ? `, first fallback at frame ${quality.p2pFallbackFrame}` : ''));
  }

  /** @param {boolean} terminal */
  #finish(terminal) {
    this.#terminal ||= terminal;
    this.#finishing = true;
    this.#monitor?.pause();
    if (this.generation === 'seed') {
      if (!terminal) return;
      // The page ends without storing anything.
      const core = this.#core;
      if (core !== null) {
        this.#host.emit('emit_remote_game_data', {
          data: page.msgpack.encode(JSON.parse(core.bridge.call('session_data'))),
          scene_id: this.config['scene_id'],
          session_id: page.sessionId,
          interactiveGymGlobals: page.interactiveGymGlobals,
        });
      }
    }
    this.#done();
  }

  #done() {
    this.num_episodes = Math.max(this.num_episodes, this.#terminal ? 0 : this.max_episodes);
    this.state = 'done';
    this.#release();
    if (this.#terminal || this.onGameDone === null) return;
    try {
      this.onGameDone();
    } catch (error) {
      report('onGameDone', error);
    }
  }

  // ------------------------------------------------------------------ what the page calls

  isDone() {
    return this.state === 'done' && !this.#terminal;
  }

  /** @returns {Promise<unknown[] | null>} null where the page has nothing to log */
  async reset() {
    this.shouldReset = false;
    this.#asked = true;
    this.#resetting = true;
    try {
      graphics.clearHumanInputBuffers?.();
      this.#core?.bridge.call('page_ready');
      // Cosmetic: the session counts on its own, the same for all.
      super.showEpisodeTransition().catch((error) => report('countdown', error));
      const game = this.#games;
      while (this.state !== 'done' && !this.#isPlaying() && game === this.#games) {
        await new Promise((resolve) => void this.#playing.push(/** @type {() => void} */ (resolve)));
      }
      const core = this.#core;
      if (core === null || this.state === 'done' || game !== this.#games) return null;
      ui.hideEpisodeOverlay?.();
      ui.showHUD();
      this.step_num = 0;
      const [observations, , , , infos, state] = this.#toResult(JSON.parse(core.bridge.call('reset_result')));
      if (this.#agents.length > 1) return [observations, infos, state];
      // Without bots nobody needs more than the picture; a row without actions would shift the page's columns.
      graphics.addStateToBuffer(/** @type {Record<string, unknown>} */ (state));
      return null;
    } catch (error) {
      this.#fail(error);
      return null;
    } finally {
      this.#resetting = false;
    }
  }

  #isPlaying() {
    const phase = this.#core?.phase;
    return phase === 'playing' || phase === 'holding';
  }

  /**
   * @param {Record<string, unknown>} actions by agent; only the own one counts, and those of the page's bots
   * @returns {Promise<unknown[] | null>} seven results, or null where there is nothing new to show
   */
  async step(actions) {
    const core = this.#core;
    if (core === null || core.failed || this.state === 'done') return null;
    try {
      const now = seconds();
      if (this.generation === 'seed') {
        const period = Math.max(0.001, core.bridge.period || 1);
        if (now < this.#due - period / 4) return null;
        this.#due = Math.max(this.#due + period, now - 3 * period);
      }
      this.#steppedAt = now;
      const flags = this.sendInputToOtherPlayers(actions);
      if (this.generation === 'seed') return this.#loggedResult(flags);
      if (!(flags & (STEPPED | RESIMULATED))) return null;
      return this.#toResult(JSON.parse(core.bridge.call('step_result')));
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  /**
   * One tick: the local input goes out, peer-to-peer first, and the frame is stepped. Python decides the way
   * (`recordAndSend` or `_sendViaSocketIO`), and logs `[P2P] Send failed` where the first is refused.
   *
   * @param {Record<string, unknown>} actions by agent
   * @returns {number} what happened, as flags
   */
  sendInputToOtherPlayers(actions) {
    const core = this.#core;
    if (core === null) return 0;
    const agents = this.#agents;
    core.sendInputToOtherPlayers(agents.length === 1 ? actions[agents[0] ?? ''] : agents.map((id) => actions[id] ?? null));
    const flags = core.advance();
    this.#noteStep(flags);
    return flags;
  }

  /**
   * The seed's page logs every result: it gets each confirmed frame once, and the newest picture beside it.
   *
   * @param {number} flags
   */
  #loggedResult(flags) {
    const core = /** @type {Core} */ (this.#core);
    const shown = flags & (STEPPED | RESIMULATED) ? JSON.parse(core.bridge.call('step_result')) : null;
    const row = core.bridge.call('confirmed_row');
    if (!row) {
      if (shown !== null) graphics.addStateToBuffer(/** @type {any} */ (this.#toResult(shown)[5]));
      else if (this.#finishing) this.#done();
      return null;
    }
    const logged = JSON.parse(row);
    return this.#toResult({ ...logged, picture: shown?.picture ?? { objects: null } });
  }

  /**
   * @param {import('./results.js').Frame} frame
   * @returns {unknown[]} observations, rewards, terminateds, truncateds, infos, render state, actions
   */
  #toResult(frame) {
    const { bridge } = /** @type {Core} */ (this.#core);
    const observations = observationMap(frame.observations, new Float32Array(this.#bytes(bridge.call('observations')).buffer));
    this.observations = observations;
    this.cumulative_rewards = frame.cumulative;
    this.step_num = frame.step;
    this.#showHud(frame.hud);
    return [
      observations, new Map(frame.rewards), new Map(frame.terminateds), new Map(frame.truncateds), new Map(frame.infos),
      renderState(frame.picture, frame.step, () => this.#bytes(bridge.call('image')), page._phaserScene), frame.actions,
    ];
  }

  /** @param {any} proxy of Python bytes @returns {Uint8Array} a copy */
  #bytes(proxy) {
    const bytes = proxy.toJs();
    proxy.destroy();
    return bytes;
  }

  /** @param {string} text */
  #showHud(text) {
    if (text === this.#hud) return;
    this.#hud = text;
    ui.updateHUDText(text);
  }

  getHUDText() {
    return this.#core?.bridge.call('hud_text') ?? super.getHUDText();
  }

  // ------------------------------------------------------------------ what the page of 0.1.3 adds

  /** Whether its drawing loop may step by itself: never, the ticks are ours. */
  isP2PReady() {
    return this.generation === 'seed';
  }

  /** @param {() => unknown} callback steps the page once */
  registerTickCallback(callback) {
    this.#tickCallback = callback;
  }

  /** That it exists tells the page to leave the logging to us. */
  storeFrameData() {}

  /** @returns {Record<string, boolean>} by player */
  getFocusStatePerPlayer() {
    return this.#core === null ? {} : JSON.parse(this.#core.bridge.call('focus_state'));
  }

  /** The page leaves the scene: links are closed, the data can still be read. */
  cleanupForSceneExit() {
    this.sceneExited = true;
    this.#ticker.stop();
    this.timerWorker = null;
    this.#core?.channels.close();
    if (!this.#terminal) hideOverlay();
  }

  /** @returns {any} the page's metrics file */
  exportMultiplayerMetrics() {
    return this.#core === null ? null : JSON.parse(this.#core.bridge.call('multiplayer_metrics'));
  }

  /** @param {string | undefined} sceneId */
  emitMultiplayerMetrics(sceneId) {
    const metrics = this.exportMultiplayerMetrics();
    if (metrics !== null && this.generation === 'mug') {
      this.#host.emit('emit_multiplayer_metrics', { scene_id: sceneId, metrics });
    }
  }

  // ------------------------------------------------------------------ names of the contract

  /**
   * Emit an input, or whatever else Python wants emitted, over the page's socket.io connection.
   *
   * @param {Record<string, any>} data
   * @param {string} [event]
   */
  _sendViaSocketIO(data, event = 'pyodide_player_action') {
    this.#core?._sendViaSocketIO(data, event);
  }

  /**
   * Take in a remote input that came by other ways. If its frame was stepped with another action, that is one
   * `rollbackEvent` in `sessionMetrics.rollbacks.events`, and Python logs `[GGPO] Late input triggering rollback:`.
   *
   * @param {number | string} playerId
   * @param {unknown} action
   * @param {number} frameNumber
   * @returns {{accepted: boolean, rollbackEvent: Record<string, unknown> | null}}
   */
  storeRemoteInput(playerId, action, frameNumber) {
    if (this.#core === null) return { accepted: false, rollbackEvent: null };
    return JSON.parse(this.#core.bridge.call(
      'take_remote_input', JSON.stringify(playerId), JSON.stringify(action ?? null), frameNumber));
  }

  /** The metrics of the session, with the page's names. @returns {any} */
  exportSessionMetrics() {
    return this.#core?.exportSessionMetrics() ?? null;
  }

  /** @returns {any} */
  get sessionMetrics() {
    return this.exportSessionMetrics();
  }

  /** @returns {any} */
  get p2pMetrics() {
    return this.#core?.p2pMetrics ?? null;
  }

  get p2pHealthy() {
    return this.#core?.p2pHealthy ?? false;
  }

  get p2pConnected() {
    return this.#core?.p2pConnected ?? false;
  }

  /** Its `recordAndSend` is how an input goes first. */
  get p2pInputSender() {
    return this.#core?.p2pInputSender ?? null;
  }

  get pendingRollbackFrame() {
    return this.#core?.pendingRollbackFrame ?? null;
  }

  get p2pHashMismatches() {
    return this.#core?.p2pHashMismatches ?? 0;
  }

  get syncEpoch() {
    return this.#core?.syncEpoch ?? 0;
  }

  /** Data that the server has not acknowledged yet. */
  get unstored() {
    return this.#host.unstored;
  }

  /** The session itself, for tests and the console. */
  get core() {
    return this.#core;
  }
}
