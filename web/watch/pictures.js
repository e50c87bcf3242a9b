// @ts-check
/**
 * Which games have a picture: so many at most, since each is a game that is stepped again.
 *
 * Running games have one unasked while there is room; whoever asks for another gets it in the place of the last one
 * that nobody asked for, or of the first. Pyodide is loaded for the first.
 */

import { load } from '../core/loader.js';
import { WATCHING } from './handed.js';
import { Spectator } from './spectator.js';

export class Pictures {
  /** By game, those whose picture is there. @type {Map<string, Spectator>} */ spectators = new Map();
  /** Those that have one or wait for it, the oldest first. @type {Map<string, {card: HTMLElement, asked: boolean}>} */
  #places = new Map();
  /** Of which somebody wants none. @type {Set<string>} */ #unwanted = new Set();
  /** @type {Promise<any> | null} */ #loading = null;
  #problem;

  /** @param {(text: string) => void} problem is told why there are none */
  constructor(problem) {
    this.#problem = problem;
  }

  /**
   * A picture for a game without one, if there is room and it is not unwanted.
   *
   * @param {string} game @param {string} word @param {HTMLElement} card
   */
  offer(game, word, card) {
    if (this.#places.size < WATCHING.pictures && !this.#unwanted.has(game)) this.#show(game, word, card, false);
  }

  /** Show it, or show it no more. @param {string} game @param {string} word @param {HTMLElement} card */
  toggle(game, word, card) {
    if (this.#places.has(game)) {
      this.#unwanted.add(game);
      this.hide(game);
      return;
    }
    this.#unwanted.delete(game);
    if (this.#places.size >= WATCHING.pictures) {
      const places = [...this.#places];
      const [other] = places.findLast(([, place]) => !place.asked) ?? places[0] ?? [''];
      this.hide(other);
    }
    this.#show(game, word, card, true);
  }

  /**
   * @param {string} game @param {string} word @param {HTMLElement} card @param {boolean} asked
   * @param {(running: boolean) => void} [told]
   */
  async #show(game, word, card, asked, told) {
    if (this.#places.has(game)) return;
    const place = { card, asked };
    this.#places.set(game, place);
    mark(card, true);
    this.#loading ??= load(
      ({ step }) => { document.body.dataset['step'] = step; }, (message) => console.warn(`[pycore] ${message}`), undefined, false,
    );
    try {
      const loaded = await this.#loading;
      if (this.#places.get(game) !== place) return;
      const root = /** @type {HTMLElement} */ (card.querySelector('.view'));
      this.spectators.set(game, new Spectator(loaded, root, game, word, told));
    } catch (error) {
      this.#problem(`There are no pictures: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** The one picture of a page that shows one game. @param {string} game @param {string} word @param {HTMLElement} card
   * @param {(running: boolean) => void} told */
  alone(game, word, card, told) {
    this.#show(game, word, card, true, told);
  }

  /** @param {string} game */
  hide(game) {
    const place = this.#places.get(game);
    if (place === undefined) return;
    this.#places.delete(game);
    this.spectators.get(game)?.close();
    this.spectators.delete(game);
    mark(place.card, false);
  }

  /** The game is in no list any more. @param {string} game */
  forget(game) {
    this.hide(game);
    this.#unwanted.delete(game);
  }
}

/** @param {HTMLElement} card @param {boolean} seen */
function mark(card, seen) {
  card.classList.toggle('seen', seen);
  const button = card.querySelector('.toggle');
  if (button === null) return;
  button.textContent = seen ? 'hide picture' : 'show picture';
  button.setAttribute('aria-expanded', String(seen));
}
