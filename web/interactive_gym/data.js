// @ts-check
/**
 * The data of a game in the messages of the page, packed as the page packs it.
 */

import { report } from './log.js';

const page = /** @type {any} */ (window);

/** @param {string | undefined} scene @returns {string} where the games of a participant's scene are counted */
const countOf = (scene) => `pycore.games.${page.subjectName ?? ''}.${scene}`;

/** The same counts of this load, for a browser that keeps nothing for a page. @type {Map<string, number>} */
const counts = new Map();

/**
 * How many games of a scene have stored data from this tab. After a loss of the connection a scene is played anew, and
 * the server would write over the first game's files.
 *
 * @param {string | undefined} scene
 */
export function gamesBefore(scene) {
  const name = countOf(scene);
  const here = counts.get(name) ?? 0;
  try {
    return Math.max(here, Number(window.sessionStorage.getItem(name) ?? 0));
  } catch (error) {
    console.warn(`[pycore] this browser keeps nothing for a page (${error}); a scene that is played behind a reload has the same files`);
    return here;
  }
}

/** @param {string | undefined} scene */
function countGame(scene) {
  const count = gamesBefore(scene) + 1;
  counts.set(countOf(scene), count);
  try {
    window.sessionStorage.setItem(countOf(scene), String(count));
  } catch (error) {
    console.warn(`[pycore] game ${count} of this scene is counted until the page is loaded again (${error})`);
  }
}

/** The data of one game after the other. */
export class Data {
  #face;
  #host;
  /** This game has stored something. */
  #counted = false;

  /**
   * @param {import('./entry.js').MultiplayerPyodideGame} face the page's object
   * @param {import('./host.js').Host} host
   */
  constructor(face, host) {
    this.#face = face;
    this.#host = host;
  }

  /** The next one is another game, which has stored nothing. */
  next() {
    this.#counted = false;
  }

  /**
   * Have the server store an episode. The seed's page stores what step() returns, and needs nothing.
   *
   * @param {import('../core/core.js').Core} core
   * @param {number} episode
   * @param {(number | string)[]} names of its messages: an episode too long for one comes in several
   */
  storeEpisode(core, episode, names) {
    const { can, config, sceneId } = this.#face;
    if (!can.stores_episodes) return;
    names.forEach((name, part) => {
      this.#host.store('emit_episode_data', {
        data: page.msgpack.encode(JSON.parse(core.bridge.read('episode_data', episode, part))),
        scene_id: sceneId,
        episode_num: name,
        session_id: page.sessionId,
        subject_id: page.subjectName || page.mugGlobals?.subjectName,
        mugGlobals: page.mugGlobals,
      }).catch((error) => report('episode data', error));
    });
    if (!this.#counted) countGame(config['scene_id']);
    this.#counted = true;
  }

  /**
   * Send all episodes at once where the page stays: there the seed's page stores nothing, and its server acknowledges
   * nothing.
   *
   * @param {import('../core/core.js').Core} core
   */
  storeScene(core) {
    const { can, config } = this.#face;
    if (can.stores_episodes) return;
    this.#host.emit('emit_remote_game_data', {
      data: page.msgpack.encode(JSON.parse(core.bridge.read('session_data'))),
      scene_id: config['scene_id'],
      session_id: page.sessionId,
      interactiveGymGlobals: page.interactiveGymGlobals,
    }, true);
  }
}
