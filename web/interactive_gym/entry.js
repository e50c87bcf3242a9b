// @ts-check
/**
 * pycore in the place of the interactive_gym page's multiplayer module, for both generations of the page.
 *
 * The page makes one `MultiplayerPyodideGame`, drives it through `reset()` and `step()` and reads its fields. This
 * class is that face; behind it `PageGame` hands everything to Python (`pycore.interactive_gym`) and carries out its
 * orders. Nothing here decides anything about the game. Pyodide, the socket.io connection, the environment and the
 * renderer are the page's own.
 *
 * What may not happen: an exception out of `reset()` or `step()`. The page does not catch it and stands still.
 */

import { RemoteGame } from '../../pyodide_remote_game.js';
import * as graphics from '../../phaser_gym_graphics.js';
import * as ui from '../../ui_utils.js';
import { RESIMULATED, STEPPED } from '../core/bridge.js';
import { PageGame } from './game.js';
import { GENERATIONS } from './handed.js';
import { watchKeys } from './keys.js';
import { report } from './log.js';
import { observationMap, renderState } from './results.js';

const page = /** @type {any} */ (window);
const NOTHING = new Float32Array();

/**
 * Ends the page's newest game: with `restart_pyodide` it makes one per scene and forgets the last.
 *
 * @type {(() => string | undefined) | null}
 */
let closeLast = null;

export class MultiplayerPyodideGame extends RemoteGame {
  #game;
  #hud = '';
  /** @type {import('./results.js').Frame['picture']} */ #picture = { objects: [] };

  /** @param {Record<string, any>} config the scene's metadata */
  constructor(config) {
    // The page's class begins to load here, before anything below exists.
    super(config);
    this.generation = 'mugGlobals' in window ? 'mug' : 'seed';
    /** What this generation of the page can do. */
    this.can = /** @type {typeof GENERATIONS.mug} */ (GENERATIONS[/** @type {'mug' | 'seed'} */ (this.generation)]);
    /** @type {string | number | undefined} */ this.myPlayerId = config['player_id'];
    /** @type {string | undefined} */ this.gameId = config['game_id'];
    /** @type {number | null} */ this.gameSeed = null;
    /** @type {Record<string, string>} */ this.playerSubjects = {};
    this.frameNumber = 0;
    this.isProcessingTick = false;
    this.sceneExited = false;
    /** @type {(() => void) | null} */ this.onGameDone = null;
    /** Truthy tells the page of 0.1.3 that its own loop has only to draw. @type {object | null} */
    this.timerWorker = null;
    // Two that listen would both play the next game.
    const ended = closeLast?.();
    const game = new PageGame(this, (scene) => super.reinitialize_environment(scene));
    game.inherit(ended);
    this.#game = game;
    const unwatch = watchKeys(graphics, report, () => this.config);
    closeLast = () => {
      unwatch();
      return game.close();
    };
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
    const loading = super.initialize();
    // The constructor is still at work, and has not made the game yet.
    await Promise.resolve();
    await this.#game.load(loading);
  }

  /** @param {Record<string, any>} config */
  reinitialize_environment(config) {
    return this.#game.setUp(config);
  }

  // ------------------------------------------------------------------ what the page calls

  isDone() {
    return this.state === 'done' && !this.#game.terminal;
  }

  /** @returns {Promise<null>} nothing that the page would log */
  async reset() {
    const game = this.#game;
    this.shouldReset = false;
    game.resetting = true;
    try {
      graphics.clearHumanInputBuffers?.();
      game.ask();
      // Cosmetic: the session counts on its own, the same for all.
      super.showEpisodeTransition().catch((error) => report('countdown', error));
      const core = await game.begun();
      if (core === null) return null;
      ui.hideEpisodeOverlay?.();
      ui.showHUD();
      const frame = JSON.parse(core.bridge.read('reset_result'));
      this.#picture = frame.picture;
      const state = this.#noted(frame)[5];
      graphics.addStateToBuffer(/** @type {Record<string, unknown>} */ (state));
      // The page asks its bots on every so many of these, and gets the observations for it with the first result.
      this.step_num = NaN;
      // A result here would be a row without actions, and shift the page's columns.
      return null;
    } catch (error) {
      game.fail(error);
      return null;
    } finally {
      game.resetting = false;
    }
  }

  /**
   * @param {Record<string, unknown>} actions by agent; only the own one counts, and those of the page's bots
   * @returns {Promise<unknown[] | null>} seven results, or null where there is nothing new to show
   */
  async step(actions) {
    const { core, loop } = this.#game;
    if (core === null || core.failed || this.state === 'done') return null;
    try {
      if (!loop.takeTurn()) return null;
      const flags = this.sendInputToOtherPlayers(actions);
      if (this.can.logs_frames) return this.#loggedResult(flags);
      if (!(flags & (STEPPED | RESIMULATED))) return null;
      if (document.hidden) return this.#unseenResult();
      return this.#noted(JSON.parse(core.bridge.read('step_result')));
    } catch (error) {
      this.#game.fail(error);
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
    const { core, agents } = this.#game;
    if (core === null) return 0;
    core.sendInputToOtherPlayers(agents.length === 1 ? actions[agents[0] ?? ''] : agents.map((id) => actions[id] ?? null));
    const flags = core.advance();
    this.#game.note(flags);
    return flags;
  }

  /**
   * A hidden page draws nothing: what it is given waits, and when somebody looks again it would be drawn one after the
   * other. Its bots look at the observations of the last result that it got, so those are kept what they are now; the first
   * ones of an episode it gets.
   */
  #unseenResult() {
    const { core, agents } = this.#game;
    if (core === null || agents.length === 1) return null;
    const frame = JSON.parse(core.bridge.read('step_result', 0));
    const held = /** @type {unknown} */ (this.observations);
    if (Number.isNaN(this.step_num) || !(held instanceof Map)) return this.#noted(frame);
    const [seen] = this.#noted(frame);
    held.clear();
    for (const [agent, values] of /** @type {Map<any, any>} */ (seen)) held.set(agent, values);
    this.observations = held;
    return null;
  }

  /**
   * The seed's page logs every result: it gets each confirmed frame once, and the newest picture beside it.
   *
   * @param {number} flags
   */
  #loggedResult(flags) {
    const core = /** @type {import('../core/core.js').Core} */ (this.#game.core);
    const shown = flags & (STEPPED | RESIMULATED) ? JSON.parse(core.bridge.read('step_result')) : null;
    // The page draws what comes with a row; where nothing is new, that is what it shows already.
    this.#picture = shown?.picture ?? this.#picture;
    const row = core.bridge.read('confirmed_row');
    if (!row) {
      if (shown !== null) graphics.addStateToBuffer(/** @type {any} */ (this.#toResult(shown)[5]));
      return null;
    }
    return this.#noted({ ...JSON.parse(row), picture: this.#picture });
  }

  /**
   * What the page gets of a frame, with the fields of ours that it reads beside: it asks its bots by `step_num`, with the
   * observations of the last result that it got.
   *
   * @param {import('./results.js').Frame} frame
   */
  #noted(frame) {
    const result = this.#toResult(frame);
    this.observations = /** @type {Map<any, any>} */ (result[0]);
    this.cumulative_rewards = frame.cumulative;
    this.step_num = frame.step;
    return result;
  }

  /**
   * @param {import('./results.js').Frame} frame
   * @returns {unknown[]} observations, rewards, terminateds, truncateds, infos, render state, actions
   */
  #toResult(frame) {
    const { bridge } = /** @type {import('../core/core.js').Core} */ (this.#game.core);
    const seen = frame.observed > 0 ? new Float32Array(this.#bytes(bridge.read('observations')).buffer) : NOTHING;
    const observations = observationMap(frame.observations, seen);
    this.#showHud(frame.hud);
    return [
      observations, new Map(frame.rewards), new Map(frame.terminateds), new Map(frame.truncateds), new Map(frame.infos),
      renderState(frame.picture, frame.step, () => this.#bytes(bridge.read('image')), page._phaserScene), frame.actions,
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
    return this.#game.core?.bridge.read('hud_text') ?? super.getHUDText();
  }

  // ------------------------------------------------------------------ what the page of 0.1.3 adds
  // `setInputTimestamps` is the page's own, in the class that this one extends.

  /** Whether its drawing loop may step by itself: never, the ticks are ours. */
  isP2PReady() {
    return this.can.steps_itself;
  }

  /** @param {() => unknown} callback steps the page once */
  registerTickCallback(callback) {
    this.#game.loop.callback = callback;
  }

  /** That it exists tells the page to leave the logging to us. */
  storeFrameData() {}

  /** @returns {Record<string, boolean>} by player */
  getFocusStatePerPlayer() {
    return this.#game.core === null ? {} : JSON.parse(this.#game.core.bridge.read('focus_state'));
  }

  /** The page leaves the scene. */
  cleanupForSceneExit() {
    this.sceneExited = true;
    this.#game.exit();
  }

  /** @returns {any} the page's metrics file */
  exportMultiplayerMetrics() {
    return this.#game.core === null ? null : JSON.parse(this.#game.core.bridge.read('multiplayer_metrics'));
  }

  /** @param {string | undefined} sceneId */
  emitMultiplayerMetrics(sceneId) {
    const metrics = this.exportMultiplayerMetrics();
    if (metrics !== null && this.can.stores_metrics) {
      this.#game.host.emit('emit_multiplayer_metrics', { scene_id: sceneId, metrics }, true);
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
    this.#game.core?._sendViaSocketIO(data, event);
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
    if (this.#game.core === null) return { accepted: false, rollbackEvent: null };
    return JSON.parse(this.#game.core.bridge.call(
      'take_remote_input', JSON.stringify(playerId), JSON.stringify(action ?? null), frameNumber));
  }

  /** The metrics of the session, with the page's names. @returns {any} */
  exportSessionMetrics() {
    return this.#game.core?.exportSessionMetrics() ?? null;
  }

  /** @returns {any} */
  get sessionMetrics() {
    return this.exportSessionMetrics();
  }

  /** @returns {any} */
  get p2pMetrics() {
    return this.#game.core?.p2pMetrics ?? null;
  }

  get p2pHealthy() {
    return this.#game.core?.p2pHealthy ?? false;
  }

  get p2pConnected() {
    return this.#game.core?.p2pConnected ?? false;
  }

  /** Its `recordAndSend` is how an input goes first. */
  get p2pInputSender() {
    return this.#game.core?.p2pInputSender ?? null;
  }

  get pendingRollbackFrame() {
    return this.#game.core?.pendingRollbackFrame ?? null;
  }

  get p2pHashMismatches() {
    return this.#game.core?.p2pHashMismatches ?? 0;
  }

  get syncEpoch() {
    return this.#game.core?.syncEpoch ?? 0;
  }

  /** Data that the server has not acknowledged yet. */
  get unstored() {
    return this.#game.host.unstored;
  }

  /** The session itself, for tests and the console. */
  get core() {
    return this.#game.core;
  }
}
