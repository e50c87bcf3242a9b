// @ts-check
/** What the core is told of a game, from the server's words at its start. */

import { status } from './status.js';

/**
 * @param {any} seat `pyodide_player_assigned`
 * @param {any} room `pyodide_game_ready`
 * @param {Record<string, any>} settings of the study
 * @param {any} manifest
 * @param {number} joinedAt when this person asked for a game, ms since the epoch; 0: it did not
 */
export function gameConfig(seat, room, settings, manifest, joinedAt) {
  return {
    game_id: seat.game_id,
    players: room.players,
    player_id: seat.player_id,
    seed: seat.game_seed,
    settings,
    turn_config: room.turn_config ?? null,
    ice_servers: manifest.ice_servers ?? [],
    // Who comes back asked for nothing, and waited for nobody.
    ...(joinedAt > 0 ? { joined_ms: joinedAt } : {}),
    load: status.load,
    winner: manifest.winner,
  };
}
