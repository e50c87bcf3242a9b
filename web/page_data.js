// @ts-check
/**
 * The data of a game in the messages of the page, packed as the page packs it.
 */

const page = /** @type {any} */ (window);

/**
 * Have the server store an episode, and say in the console what it was.
 *
 * @param {import('./host.js').Host} host
 * @param {import('./core.js').Core} core
 * @param {string | undefined} scene
 * @param {number} episode
 * @param {number} parts an episode too long for one message comes in several
 * @param {import('./errors.js').Report} report
 */
export function storeEpisode(host, core, scene, episode, parts, report) {
  let frames = 0;
  for (let part = 0; part < parts; part += 1) {
    const data = JSON.parse(core.bridge.call('episode_data', episode, part));
    frames += data.t.length;
    host.store('emit_episode_data', {
      data: page.msgpack.encode(data),
      scene_id: scene,
      // The server makes the file's name of it: …_ep0.csv, …_ep0.part2.csv.
      episode_num: part === 0 ? episode : `${episode}.part${part + 1}`,
      session_id: page.sessionId,
      subject_id: page.subjectName || page.mugGlobals?.subjectName,
      mugGlobals: page.mugGlobals,
    }).catch((error) => report('episode data', error));
  }
  console.info(summary(episode, frames, core.exportSessionMetrics()));
}

/**
 * Send all episodes at once, for the seed's server, which acknowledges nothing.
 *
 * @param {import('./host.js').Host} host
 * @param {import('./core.js').Core} core
 * @param {string} scene
 */
export function storeScene(host, core, scene) {
  host.emit('emit_remote_game_data', {
    data: page.msgpack.encode(JSON.parse(core.bridge.call('session_data'))),
    scene_id: scene,
    session_id: page.sessionId,
    interactiveGymGlobals: page.interactiveGymGlobals,
  });
}

/** @param {number} episode @param {number} frames @param {any} metrics */
function summary(episode, frames, { inputs, rollbacks, connection, quality }) {
  return `[P2P] Episode ${episode} complete: ${frames} frames, rollbacks ${rollbacks.count}`
    + ` (max ${rollbacks.maxFrames}), sent ${inputs.sentViaP2P} p2p / ${inputs.sentViaSocketIO} socket.io,`
    + ` received ${inputs.receivedViaP2P} / ${inputs.receivedViaSocketIO}, connection ${connection.type}`
    + (quality.p2pFallbackTriggered ? `, first fallback at frame ${quality.p2pFallbackFrame}` : '');
}
