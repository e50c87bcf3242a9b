// @ts-check
/**
 * A running game with a loop of its own: what a page needs that does not tick the session itself.
 *
 * A tick is: hand over what arrived and the local action, carry out what Python answers, let it simulate,
 * draw. The order matters: the others' screens do not wait for our simulation.
 *
 * An exception in Python ends the session visibly: the others and `onFailed` are told, and once the others know, or do
 * not hear, the loop stops, the links are closed, and `onParted` may leave the game: what the server tells the others of
 * somebody who leaves is less than why. The records stay readable as long as the page is open.
 */

import { RESIMULATED, SESSION_OVER, STEPPED, seconds } from './bridge.js';
import { Core } from './core.js';
import { FOR_THE_STUDY, PageError, describe } from './errors.js';
import { HUD, PARTING } from './handed.js';
import { Ticker } from './timer.js';

/** @typedef {import('./core.js').News} News */

/**
 * What draws: it is given what `render()` of the environment says, once per displayed frame.
 *
 * @typedef {object} Renderer
 * @property {(picture: any, now: number, period: number, corrected: boolean) => void} show
 */

/**
 * @typedef {object} Config what `pycore.bridge.create` takes, as an object
 * @property {string} game_id
 * @property {(number | string)[]} players
 * @property {number | string} player_id
 * @property {number} seed
 * @property {Record<string, any>} settings
 * @property {number} [joined_ms] when the player asked for a game, ms since the epoch
 * @property {number} [load] how often the page was loaded again in this game, as the server says
 * @property {'most' | 'least' | 'none' | undefined} [winner] whose points win; default: most, where the environment says a score
 * @property {unknown} [turn_config]
 * @property {unknown[]} [ice_servers]
 */

/**
 * A policy that one page computes and sends: it may take its time, and what it did last is done until it answers.
 *
 * @typedef {(observation: any, frame: number, episode: number) => unknown} Policy an action, or a promise of one
 */

/**
 * @typedef {object} Parts what the game needs from its page
 * @property {any} create `pycore.bridge.create`
 * @property {any} environment the Python environment; owned by the game from here on
 * @property {Config} config
 * @property {import('./core.js').Server} socket
 * @property {(frame: number) => unknown} readAction the local action for the next tick; undefined: the seat's default
 * @property {Renderer | null} renderer
 * @property {Record<string, Policy>} [policies] by player, what this page computes for all; default `pycorePolicies` of
 *   the window
 * @property {import('./errors.js').Report} report
 * @property {(news: News) => void} [onNews]
 * @property {(hud: any) => void} [onHud]
 * @property {(error: unknown) => void} [onFailed]
 * @property {() => void} [onParted] after it failed: the others know, or do not hear; the page may leave the game
 * @property {() => void} [onOver]
 * @property {(why: string) => string} [undrawable] what players read in the place of a picture; default: that there is none
 */

/** The object in the place of a picture, by which Python says too that there is none (pycore/envs/pictures.py). */
const NO_PICTURE = 'no picture';

export class PycoreGame extends Core {
  #ticker;
  #parts;
  #outcome = /** @type {'running' | 'over' | 'failed'} */ ('running');
  /** Until when the others are told that it failed, s. */ #partsAt = 0;
  /** Callbacks of the page that threw. */ #thrown = /** @type {Set<string>} */ (new Set());
  #drawn = '';
  /** Whether a picture that could not be drawn was told. */ #drawFailed = false;
  #hudDue = 0;
  /** Policies that have not answered yet. */ #asked = /** @type {Set<string>} */ (new Set());

  /** @param {Parts} parts */
  constructor(parts) {
    super({ ...parts, nudge: () => this.#ticker.nudge() });
    this.#parts = parts;
    this.#ticker = new Ticker(() => this.#tick(), seconds, parts.report);
  }

  /** Start ticking. */
  start() {
    this.#ticker.start();
  }

  /** @returns {number} time to the next deadline, s */
  #tick() {
    const { bridge } = this;
    if (this.#outcome === 'failed') return this.#part();
    try {
      this.sendInputToOtherPlayers(this.#readAction(bridge.frame));
      const flags = this.advance();
      if (this.#outcome === 'running') {
        this.#askPolicies();
        this.#draw(flags);
        this.#showHud();
      }
      if (flags & SESSION_OVER) this.#end();
    } catch (error) {
      // A page may close its game in any callback; what stops there is no failure.
      if (!bridge.closed) this.#fail(error);
    }
    // Also after the end: the others may still need our receipts.
    return bridge.closed ? 1 : Math.max(0.001, bridge.period || 1);
  }

  /** @param {number} frame @returns {unknown} */
  #readAction(frame) {
    const { readAction } = this.#parts;
    try {
      return readAction(frame);
    } catch (error) {
      this.#threw('readAction', error);
      return undefined;
    }
  }

  /** The page's own code threw: that is said once, and the game goes on. @param {string} name @param {unknown} error */
  #threw(name, error) {
    if (!this.#thrown.has(name)) this.#parts.report(`game.${name}`, error);
    this.#thrown.add(name);
  }

  /** @param {'onHud' | 'onFailed' | 'onParted' | 'onOver'} name @param {unknown[]} given @param {(error: unknown) => void} [then] */
  #tell(name, given = [], then = () => {}) {
    /** @param {unknown} error */
    const threw = (error) => {
      this.#threw(name, error);
      then(error);
    };
    try {
      /** @type {unknown} */
      const result = /** @type {((...given: any[]) => unknown) | undefined} */ (this.#parts[name])?.(...given);
      // It may be one that is asynchronous.
      if (result instanceof Promise) result.catch(threw);
    } catch (error) {
      threw(error);
    }
  }

  /** Show each policy of this page what there is to see, once it has answered. */
  #askPolicies() {
    const { policies = /** @type {any} */ (window)['pycorePolicies'] } = this.#parts;
    if (policies === undefined || Object.keys(policies).every((player) => this.#asked.has(player))) return;
    for (const [player, { observation, frame, episode }] of Object.entries(JSON.parse(this.bridge.read('sights')))) {
      const policy = policies[player];
      if (policy === undefined || this.#asked.has(player)) continue;
      this.#asked.add(player);
      (async () => policy(observation, frame, episode))().then(
        (action) => this.arrived({ event: 'policy', data: { player, action } }, seconds()),
      ).catch((error) => this.#threw('policy', error)).finally(() => this.#asked.delete(player));
    }
  }

  /** @param {number} flags */
  #draw(flags) {
    const { bridge } = this;
    const { renderer } = this.#parts;
    const place = `${bridge.phase} ${bridge.frame}`;
    // A reset shows a new picture without a step; frame 0 has the objects that stay for the episode.
    if (!(flags & (STEPPED | RESIMULATED)) && place === this.#drawn) return;
    this.#drawn = place;
    if (!renderer) return;
    const picture = this.#picture();
    if (picture === null) return;
    try {
      renderer.show(picture, seconds(), bridge.period, (flags & RESIMULATED) !== 0);
    } catch (error) {
      this.#undrawn(error);
    }
  }

  /** What `render()` gives; of what is no picture, and where it raises, a text that says so. @returns {any} null: nothing */
  #picture() {
    const { bridge } = this;
    try {
      const text = bridge.read('render');
      if (!text) return null;
      const picture = JSON.parse(text);
      for (const object of picture.objects) {
        // Bytes are no JSON: they cross by themselves.
        if (typeof object?.pixels === 'number') object.pixels = bridge.readBytes('pixels', object.pixels);
        if (object?.uuid === NO_PICTURE) object.text = this.#undrawn(new PageError('no-picture', String(object.text)));
      }
      return picture;
    } catch (error) {
      const text = this.#undrawn(error);
      return { objects: [{ uuid: NO_PICTURE, object_type: 'text', x: 300, y: 200, size: 14, align: 'center', text }], reset: false };
    }
  }

  /**
   * A picture is no part of the game, and may be of a state that was only guessed: why there is none is said once to
   * whoever runs the study, and the game goes on. What players read of it is their page's to say.
   *
   * @param {unknown} error
   * @returns {string}
   */
  #undrawn(error) {
    const { report, socket, undrawable = () => `The picture cannot be drawn. ${FOR_THE_STUDY}` } = this.#parts;
    const { code, message } = describe(error);
    if (!this.#drawFailed) {
      this.#drawFailed = true;
      report('game.draw', error);
      socket.emit('page_failed', { code, message, where: 'draw' }, true);
    }
    return undrawable(message);
  }

  #showHud() {
    const now = seconds();
    if (now < this.#hudDue) return;
    this.#hudDue = now + HUD.every_s;
    this.#tell('onHud', [this.hud()]);
  }

  #end() {
    if (this.#outcome !== 'running') return;
    this.#outcome = 'over';
    this.#tell('onHud', [this.hud()]);
    // What it was to store and to show, and did not, is left to the other one.
    this.#tell('onOver', [], (error) => this.#tell('onFailed', [error]));
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#outcome === 'failed') return;
    this.#outcome = 'failed';
    const { report } = this.#parts;
    report('game.tick', error);
    this.#partsAt = seconds() + PARTING.within_s;
    try {
      // Before the page leaves the game (onParted): the server would tell the others no more than that.
      this.carryOut(this.bridge.call('broke', seconds(), describe(error).message));
      this.sendInputToOtherPlayers(undefined);
      this.parting = true;
    } catch (last) {
      report('game.tick', last);
      this.#hangUp();
    }
    this.#tell('onFailed', [error]);
    if (this.failed) this.#tell('onParted');
  }

  /** A tick after it failed: the others are told so, until they know it or do not hear. @returns {number} s */
  #part() {
    try {
      this.sendInputToOtherPlayers(undefined);
      if (!this.state().settled && seconds() < this.#partsAt) return Math.max(0.001, this.bridge.period || 1);
    } catch (error) {
      this.#parts.report('game.tick', error);
    }
    this.#hangUp();
    this.#tell('onParted');
    return 1;
  }

  #hangUp() {
    this.failed = true;
    this.#ticker.stop();
    this.channels.close();
  }

  /** Another page has the seat: no more ticks, no more links; what was recorded can still be read. */
  halt() {
    this.#outcome = 'failed';
    this.#hangUp();
  }

  get outcome() {
    return this.#outcome;
  }

  /** Stop, close the links and give everything back to Python. Idempotent. */
  close() {
    this.#ticker.stop();
    const first = !this.bridge.closed;
    super.close();
    if (first) this.#parts.environment.destroy?.();
  }
}
