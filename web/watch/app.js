// @ts-check
/**
 * The running games for whoever has the operator's token, each with its picture; or one game, with its key.
 *
 * Everything that comes from pages is written as text. The window has `pycoreWatch` for tests: the last list, and the
 * spectators by game.
 */

import { load } from '../core/loader.js';
import { WATCHING } from './handed.js';
import { ask, opened } from './server.js';
import { Spectator } from './spectator.js';

/** @param {string} id @returns {HTMLElement} */
const element = (id) => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
};

const { token, game: alone, key } = opened();
/** @type {Map<string, HTMLElement>} */ const cards = new Map();
/** @type {Map<string, Spectator>} */ const spectators = new Map();
/** @type {Promise<any> | null} */ let loading = null;
const watch = { list: /** @type {any} */ (null), spectators };
Object.assign(window, { pycoreWatch: watch });

/** @param {string} text */
function problem(text) {
  element('problem').textContent = text;
  element('problem').hidden = text === '';
}

/** @param {unknown} error */
const saying = (error) => (error instanceof Error ? error.message : String(error));

/** @param {string} game @param {string} word @param {HTMLElement} card */
async function showPicture(game, word, card) {
  loading ??= load(({ step }) => { element('summary').dataset['step'] = step; }, (message) => console.warn(`[pycore] ${message}`));
  try {
    const loaded = await loading;
    if (!cards.has(game) || spectators.has(game)) return;
    card.classList.add('seen');
    spectators.set(game, new Spectator(loaded, /** @type {HTMLElement} */ (card.querySelector('.view')), game, word));
  } catch (error) {
    problem(`There are no pictures: ${saying(error)}`);
  }
}

/** @param {string} game @param {string} title @returns {HTMLElement} */
function addCard(game, title) {
  const template = /** @type {HTMLTemplateElement} */ (element('card'));
  const card = /** @type {HTMLElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
  /** @type {HTMLElement} */ (card.querySelector('h2')).textContent = title;
  element('games').append(card);
  cards.set(game, card);
  return card;
}

/** @param {unknown} value @param {string} [unit] */
const shown = (value, unit = '') => (value === null || value === undefined ? '–' : `${value}${unit}`);

/** @param {number | null | undefined} seconds */
const ago = (seconds) => (typeof seconds === 'number' ? `${Math.max(0, Math.round(seconds))} s ago` : '–');

/** @param {any} player @returns {[string, string]} a word for its state, and how good that is */
function stateOf(player) {
  if (player.policy) return ['policy', ''];
  if (player.left) return ['left', 'bad'];
  if (!player.connected) return ['no connection', 'bad'];
  if (player.hash_mismatches > 0) return ['desync', 'bad'];
  if (player.hidden) return ['hidden', 'warn'];
  return [player.phase ?? 'connecting', 'good'];
}

/** @param {HTMLElement} card @param {any} game */
function fill(card, game) {
  const minutes = Math.floor(game.seconds / 60);
  const since = /** @type {HTMLElement} */ (card.querySelector('.since'));
  since.textContent = `${minutes} min ${Math.floor(game.seconds % 60)} s · ${game.inputs_relayed} inputs by the server`;
  const names = [...card.querySelectorAll('th')].map((head) => head.textContent ?? '');
  const rows = game.players.flatMap((/** @type {any} */ player) => {
    const links = Object.entries(player.links ?? {});
    return (links.length > 0 ? links : [['', null]]).map(([other, link], index) => {
      const row = document.createElement('tr');
      const [state, good] = stateOf(player);
      const own = [
        [`${player.player}${player.person ? ` (${player.person})` : ''}`, ''], [state, good],
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

async function refresh() {
  try {
    const list = watch.list = await ask('', token);
    problem('');
    const { games } = list;
    element('summary').textContent = `${games.length} running, ${list.waiting} waiting, ${list.sockets} connected`
      + ` · ${new Date(list.time * 1000).toLocaleTimeString()}`;
    for (const [game, card] of cards) {
      if (games.some((/** @type {any} */ each) => each.game_id === game)) continue;
      spectators.get(game)?.close();
      spectators.delete(game);
      card.remove();
      cards.delete(game);
    }
    for (const game of games) {
      let card = cards.get(game.game_id);
      if (card === undefined) {
        card = addCard(game.game_id, `${game.environment || 'game'} ${game.game_id.slice(0, 8)}`);
        const link = document.createElement('a');
        link.href = `#game=${game.game_id}&key=${game.key}`;
        link.target = '_blank';
        link.textContent = 'for spectators';
        card.querySelector('h2')?.append(' ', link);
        if (list.store_every > 0 && spectators.size < WATCHING.pictures) showPicture(game.game_id, game.key, card);
      }
      fill(card, game);
    }
  } catch (error) {
    problem(saying(error));
  }
  window.setTimeout(refresh, WATCHING.list_every_ms);
}

function main() {
  window.addEventListener('hashchange', () => location.reload());
  if (alone) {
    document.body.classList.add('alone');
    document.title = element('title').textContent = 'A running game';
    element('summary').textContent = 'You see what happened some seconds ago. Nobody who plays knows that you do.';
    const card = addCard(alone, '');
    for (const part of card.querySelectorAll('.head, .scroll')) part.remove();
    showPicture(alone, key || token, card);
  } else if (token) {
    refresh();
  } else {
    element('summary').textContent = '';
    problem('This address lacks the token: open the one that the server printed when it started.');
  }
}

main();
