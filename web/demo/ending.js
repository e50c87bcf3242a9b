// @ts-check
/** What a person gets of a game that has ended: why it did, everybody's points, its figures, and its files. */

import { points } from './hud.js';
import { download, summaryRows } from './screens.js';
import { digitsOf, number, text } from './texts.js';
import { ended, listedName, won } from './words.js';

/**
 * What the end screen shows of a game.
 *
 * @param {string} code why the session ended
 * @param {string} reason the same in words, where there are any
 * @param {import('./hud.js').HudData} hud the last one
 * @param {string[]} lines everybody's points at the end of each episode
 * @param {any} metrics `exportSessionMetrics()`
 * @param {unknown} [player] whom it is due to
 * @returns {import('./screens.js').End}
 */
export function ending(code, reason, hud, lines, metrics, player = undefined) {
  const gained = points(hud);
  /** @type {[string, string][]} */
  const tiles = gained && hud.num_episodes === 1
    ? hud.players.map((_, seat) => [listedName(hud.players, seat), number(gained[seat] ?? 0, digitsOf(gained))])
    : [];
  if (typeof hud.score === 'number') tiles.push([text('end.score'), number(hud.score)]);
  /** @type {[string, string][]} */
  const rounds = hud.num_episodes > 1 ? lines.map((line, index) => [text('end.round', { round: index + 1 }), line]) : [];
  return {
    lead: ended(code, reason, hud.players, hud.players.findIndex(({ id }) => String(id) === String(player))),
    // Of a game that somebody left, nobody is called its winner.
    outcome: code === 'complete' ? won(hud.outcome, hud.players) : '',
    tiles,
    rounds: rounds.filter(([, line]) => line !== ''),
    rows: summaryRows(metrics),
  };
}

/**
 * @param {import('../core/game.js').PycoreGame} game
 * @param {'metrics' | 'records' | 'experienced'} what
 * @param {string} experienced the experienced record
 */
export function saveFile(game, what, experienced) {
  const name = `${game.gameId}-${game.myPlayerId}`;
  if (what === 'metrics') {
    download(`metrics-${name}.json`, `${JSON.stringify(game.exportSessionMetrics(), null, 2)}\n`, 'application/json');
  } else if (what === 'experienced') {
    download(`experienced-${name}.jsonl`, experienced, 'application/x-ndjson');
  } else download(`trajectory-${name}.jsonl`, game.records(), 'application/x-ndjson');
}

/** What the server has not got, earlier sessions included. @param {import('./storage.js').Outbox} outbox */
export function saveUnsent(outbox) {
  download('unsent.json', `${JSON.stringify(outbox.items, null, 1)}\n`, 'application/json');
}
