// @ts-check
/**
 * The data of a game in the messages of the page, packed as the page packs it.
 */

const page = /** @type {any} */ (window);

/** @param {string | undefined} scene @returns {string} where the games of a participant's scene are counted */
const countOf = (scene) => `pycore.games.${page.subjectName ?? ''}.${scene}`;

/**
 * How many games of a scene have stored data from this tab. After a loss of the connection a scene is played anew, and
 * the server would write over the first game's files.
 *
 * @param {string | undefined} scene
 */
export function gamesBefore(scene) {
  try {
    return Number(window.sessionStorage.getItem(countOf(scene)) ?? 0);
  } catch (error) {
    console.warn(`[pycore] this browser keeps nothing for a page (${error}); a scene that is played again has the same files`);
    return 0;
  }
}

/** @param {string | undefined} scene */
export function countGame(scene) {
  const count = gamesBefore(scene) + 1;
  try {
    window.sessionStorage.setItem(countOf(scene), String(count));
  } catch (error) {
    console.warn(`[pycore] game ${count} of this scene cannot be counted (${error})`);
  }
}

/**
 * Have the server store an episode.
 *
 * @param {import('./host.js').Host} host
 * @param {import('../core/core.js').Core} core
 * @param {string | undefined} scene
 * @param {number} episode
 * @param {(number | string)[]} names of its messages: an episode too long for one comes in several
 * @param {import('../core/errors.js').Report} report
 */
export function storeEpisode(host, core, scene, episode, names, report) {
  names.forEach((name, part) => {
    host.store('emit_episode_data', {
      data: page.msgpack.encode(JSON.parse(core.bridge.read('episode_data', episode, part))),
      scene_id: scene,
      episode_num: name,
      session_id: page.sessionId,
      subject_id: page.subjectName || page.mugGlobals?.subjectName,
      mugGlobals: page.mugGlobals,
    }).catch((error) => report('episode data', error));
  });
}

/**
 * Send all episodes at once, for the seed's server, which acknowledges nothing.
 *
 * @param {import('./host.js').Host} host
 * @param {import('../core/core.js').Core} core
 * @param {string | undefined} scene
 */
export function storeScene(host, core, scene) {
  host.emit('emit_remote_game_data', {
    data: page.msgpack.encode(JSON.parse(core.bridge.read('session_data'))),
    scene_id: scene,
    session_id: page.sessionId,
    interactiveGymGlobals: page.interactiveGymGlobals,
  }, true);
}
