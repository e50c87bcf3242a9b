// @ts-check
/** The card of a game: what it is called, what is known of it, its picture. Everything that comes from pages is text. */

/** @param {string} id @returns {HTMLElement} */
export const element = (id) => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
};

/** @param {unknown} value @param {string} [unit] */
const shown = (value, unit = '') => (value === null || value === undefined ? '–' : `${value}${unit}`);

/** @param {number | null | undefined} seconds */
const ago = (seconds) => (typeof seconds === 'number' ? `${Math.max(0, Math.round(seconds))} s ago` : '–');

/** @param {number} seconds */
export const lasted = (seconds) => `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;

/** @param {number} unix @returns {string} */
const when = (unix) => new Date(unix * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });

/** @param {number} count @param {string} what */
export const some = (count, what) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** @param {any} player */
const called = (player) => `${player.player}${player.person ? ` (${player.person})` : ''}`;

/** @returns {HTMLElement} a card without anything */
export function emptyCard() {
  const template = /** @type {HTMLTemplateElement} */ (element('card'));
  return /** @type {HTMLElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
}

/**
 * @param {any} game
 * @param {string} level of its heading
 * @param {(() => void) | null} toggle shows its picture, or hides it; null: there is none to be had
 * @returns {HTMLElement}
 */
export function cardOf(game, level, toggle) {
  const card = emptyCard();
  const head = document.createElement(level);
  const link = document.createElement('a');
  link.href = `#game=${game.game_id}&key=${game.key}`;
  link.target = '_blank';
  link.textContent = 'for spectators';
  head.append(`${game.environment || 'game'} ${game.game_id.slice(0, 8)} `, link);
  card.querySelector('.title')?.replaceWith(head);
  const button = /** @type {HTMLElement} */ (card.querySelector('.toggle'));
  if (toggle === null) button.remove();
  else button.addEventListener('click', toggle);
  return card;
}

/** @param {any} player @returns {[string, string]} a word for its state, and how good that is */
function stateOf(player) {
  if (player.policy) return ['policy', ''];
  if (player.left) return ['left', 'bad'];
  if (!player.connected) return ['no connection', 'bad'];
  if (player.hash_mismatches > 0) return ['desync', 'bad'];
  if (player.hidden) return ['hidden', 'warn'];
  return [player.phase ?? 'connecting', 'good'];
}

/** @param {HTMLElement} card @param {any} game that goes on */
export function fillRunning(card, game) {
  const since = /** @type {HTMLElement} */ (card.querySelector('.since'));
  since.textContent = `${lasted(game.seconds)} · ${game.inputs_relayed} inputs by the server`;
  const names = [...card.querySelectorAll('th')].map((head) => head.textContent ?? '');
  const rows = game.players.flatMap((/** @type {any} */ player) => {
    const links = Object.entries(player.links ?? {});
    return (links.length > 0 ? links : [['', null]]).map(([other, link], index) => {
      const row = document.createElement('tr');
      const [state, good] = stateOf(player);
      const own = [
        [called(player), ''], [state, good],
        [shown(typeof player.episode === 'number' ? player.episode + 1 : null), ''], [shown(player.frame), ''],
      ];
      const of = [
        [other || '–', ''], [shown(link?.path), link?.path === 'socketio' ? 'warn' : ''], [shown(link?.rtt_ms, ' ms'), ''],
      ];
      const counts = [
        [shown(player.rollbacks), ''], [shown(player.stalls), ''], [ago(player.heard_s), player.heard_s > 5 ? 'warn' : ''],
      ];
      const first = index === 0;
      const none = (/** @type {string[][]} */ of_player) => of_player.map(() => ['', '']);
      const cells = [...(first ? own : none(own)), ...of, ...(first ? counts : none(counts))];
      cells.forEach(([text, kind], column) => {
        const cell = document.createElement('td');
        cell.textContent = text ?? '';
        cell.className = kind ?? '';
        cell.dataset['name'] = names[column] ?? '';
        row.append(cell);
      });
      return row;
    });
  });
  /** @type {HTMLElement} */ (card.querySelector('tbody')).replaceChildren(...rows);
}

/** @param {any} game @returns {[string, string]} how it ended, and how good that is */
function endOf(game) {
  if (game.how === 'ended') return [`ended after ${lasted(game.ended - game.started)}`, ''];
  if (game.how === 'stopped') return ['the server was stopped while it went on', 'warn'];
  return ['no end was written down: the server ended before it did', 'warn'];
}

/** @param {any} game @returns {string} what there is of it to be seen */
function sizeOf(game) {
  if (game.episodes === null) return 'too many pieces to be counted';
  if (game.episodes === 0) return 'no row is stored';
  const broken = game.episodes - game.complete;
  return `${some(game.episodes, 'episode')}, ${some(game.frames, 'frame')}${broken > 0 ? ` (${broken} without an end)` : ''}`;
}

/** @param {HTMLElement} card @param {any} game that is over */
export function fillOver(card, game) {
  const [end, kind] = endOf(game);
  const since = /** @type {HTMLElement} */ (card.querySelector('.since'));
  const ending = document.createElement('span');
  ending.className = kind;
  ending.textContent = end;
  since.replaceChildren(`${when(game.started)} · `, ending, ` · ${sizeOf(game)}`);
  const names = game.players.map((/** @type {any} */ player) => {
    const item = document.createElement('li');
    const why = player.policy ? 'policy' : player.reason?.replaceAll('_', ' ') ?? 'no word of its end';
    item.textContent = `${called(player)}: ${why}`;
    return item;
  });
  /** @type {HTMLElement} */ (card.querySelector('.players')).replaceChildren(...names);
}
