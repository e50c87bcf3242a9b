// @ts-check
/**
 * What the page's server says of who plays: first that this participant does, then that all are there.
 *
 * Between the two and the beginning of the game lies the loading of Python: what the others send meanwhile waits here.
 * A server that waits for bots as if they were players never says the second; then the page's own beginning counts.
 */

import { guard } from '../core/errors.js';
import { READY } from './handed.js';
import { report } from './log.js';

const page = /** @type {any} */ (window);

/** @typedef {import('./entry.js').MultiplayerPyodideGame} Face */

export class Players {
  #face;
  #complete;
  /** @type {any} */ #assigned = null;
  /** @type {any} */ #ready = null;
  /** @type {{event: string, data: unknown, arrival: number}[]} */ #early = [];

  /**
   * @param {Face} face the page's object, whose fields are set to what is heard
   * @param {() => void} complete called when everything was said
   */
  constructor(face, complete) {
    this.#face = face;
    this.#complete = complete;
  }

  /** The assignment as an object; another one, or none, is another game. @returns {object | null} */
  get assigned() {
    return this.#assigned;
  }

  /** Whether all are there. */
  get ready() {
    return this.#ready !== null;
  }

  /** This participant plays. @param {any} data */
  assign(data) {
    this.#assigned = data;
    this.#face.myPlayerId = data.player_id;
    this.#face.gameId = data.game_id;
    this.#face.gameSeed = data.game_seed;
  }

  /** All are there. @param {any} data */
  gather(data) {
    if (data.game_id !== this.#assigned?.game_id) return;
    this.#ready = data;
    this.#face.playerSubjects = data.player_subjects ?? { [this.#assigned.player_id]: page.subjectName };
    this.#complete();
  }

  /** The page draws the game, so its players are there: go on without the server's word, which may never come. */
  gatherUnannounced() {
    const assigned = this.#assigned;
    if (this.ready || assigned === null) return;
    window.setTimeout(guard(report, 'players', () => {
      if (!this.ready) this.gather({ game_id: assigned.game_id, players: null });
    }), READY.patience_ms);
  }

  /** @param {{event: string, data: unknown, arrival: number}} event that came before the game could take it */
  keep(event) {
    if (this.#assigned !== null) this.#early.push(event);
  }

  /** @returns {{event: string, data: unknown, arrival: number}[]} what was kept, once */
  takeEarly() {
    const early = this.#early;
    this.#early = [];
    return early;
  }

  /** What `create` of `pycore.interactive_gym.game` wants to know of the players, when all are there. */
  config() {
    return {
      game_id: this.#assigned.game_id,
      players: this.#ready.players,
      player_id: this.#assigned.player_id,
      seed: this.#assigned.game_seed,
      turn_config: this.#ready.turn_config ?? null,
      player_subjects: this.#face.playerSubjects,
    };
  }

  /**
   * Whoever was matched with us must not wait. Before that nobody does, and this participant may try again.
   *
   * @param {import('./host.js').Host} host
   */
  withdraw(host) {
    if (this.#assigned === null) return;
    const face = this.#face;
    /** @type {Record<string, unknown>} */
    const facts = {
      game_id: face.gameId, player_id: face.myPlayerId, scene_id: face.sceneId, session_id: page.sessionId,
      frame_number: face.frameNumber, episode_number: face.num_episodes,
    };
    for (const [event, fields] of /** @type {[string, [string, unknown][]][]} */ (face.can.withdrawal)) {
      host.emit(event, Object.fromEntries(fields.map(([name, value]) => [name, value ?? facts[name]])), true);
    }
  }

  /** There is no game any more that these words were about. */
  forget() {
    this.#assigned = this.#ready = null;
    this.#early = [];
  }
}
