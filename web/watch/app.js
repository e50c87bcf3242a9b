// @ts-check
/**
 * The games for whoever has the operator's token, running ones and those that are over, with pictures; or one game, with
 * its key.
 *
 * The window has `pycoreWatch` for tests: the last list, and the spectators by game.
 */

import { cardOf, element, emptyCard, fillRunning } from './cards.js';
import { WATCHING } from './handed.js';
import { Over } from './over.js';
import { Pictures } from './pictures.js';
import { ask, askStudy, opened } from './server.js';
import { Study } from './study.js';

const { token, game: alone, key } = opened();
/** @type {Map<string, HTMLElement>} */ const cards = new Map();
/** Why there are no pictures, if there are none. */ let none = '';
const pictures = new Pictures((text) => { none = text; problem(text); });
const watch = { list: /** @type {any} */ (null), spectators: pictures.spectators };
Object.assign(window, { pycoreWatch: watch });

/** @param {string} text */
function problem(text) {
  element('problem').textContent = text;
  element('problem').hidden = text === '';
}

/** @param {any[] | undefined} processes of the server, if it is several @returns {string} how many they are, and who is silent */
function said(processes) {
  if (processes === undefined) return '';
  const silent = processes.filter((each) => !each.answers).map((each) => each.process);
  return ` · ${processes.length} processes` + (silent.length > 0 ? `, of which ${silent.join(', ')} does not answer: its games are missing` : '');
}

/** @param {any} game @param {boolean} seen whether it can have a picture @returns {HTMLElement} */
function addCard(game, seen) {
  const card = cardOf(game, 'h2', seen ? () => pictures.toggle(game.game_id, game.key, card) : null);
  card.querySelector('.players')?.remove();
  cards.set(game.game_id, card);
  return card;
}

/** @param {Over} over @param {Study} study */
async function refresh(over, study) {
  try {
    const [list, state] = await Promise.all([ask('', token), askStudy(token)]);
    watch.list = list;
    study.show(state);
    problem(none);
    const { games } = list;
    element('summary').textContent = `${games.length} running, ${list.waiting} waiting, ${list.sockets} connected`
      + `${said(list.processes)} · ${new Date(list.time * 1000).toLocaleTimeString()}`;
    let ended = false;
    for (const [game, card] of cards) {
      if (games.some((/** @type {any} */ each) => each.game_id === game)) continue;
      pictures.forget(game);
      card.remove();
      cards.delete(game);
      ended = true;
    }
    const seen = list.store_every > 0;
    for (const game of [...games].reverse()) {
      // The newest first.
      if (!cards.has(game.game_id)) element('games').prepend(addCard(game, seen));
    }
    for (const game of games) {
      const card = cards.get(game.game_id);
      if (card === undefined) continue;
      if (seen) pictures.offer(game.game_id, game.key, card);
      fillRunning(card, game);
    }
    if (ended) over.refresh();
    else over.keep();
  } catch (error) {
    problem(error instanceof Error ? error.message : String(error));
  }
  window.setTimeout(refresh, WATCHING.list_every_ms, over, study);
}

function showAlone() {
  document.body.classList.add('alone');
  const card = emptyCard();
  for (const part of card.querySelectorAll('.head, .scroll, .players')) part.remove();
  element('games').append(card);
  /** @param {boolean} running */
  const told = (running) => {
    document.title = element('title').textContent = running ? 'A running game' : 'A game that is over';
    element('summary').textContent = running
      ? 'You see what happened some seconds ago. Nobody who plays knows that you do.'
      : 'You see what was stored of it, stepped again.';
  };
  document.title = element('title').textContent = 'A game';
  pictures.alone(alone, key || token, card, told);
}

function main() {
  window.addEventListener('hashchange', () => location.reload());
  if (alone) {
    showAlone();
  } else if (token) {
    refresh(new Over(token, pictures), new Study(token, problem));
  } else {
    element('summary').textContent = '';
    problem('This address lacks the token: open the one that the server printed when it started.');
  }
}

main();
