// @ts-check
/** The games that are over, a page of them at a time, the newest first. */

import { cardOf, element, fillOver } from './cards.js';
import { WATCHING } from './handed.js';
import { ask } from './server.js';

export class Over {
  #token;
  #pictures;
  /** @type {Map<string, HTMLElement>} */ #cards = new Map();
  /** Behind which game this page begins, of it and of those before it; the first one has none. */
  #pages = [''];
  #next = '';
  #asking = false;
  #again = false;
  #asked = -Infinity;
  /** Whether one ended so lately that its last rows are not shown yet. */ #young = false;

  /** @param {string} token @param {import('./pictures.js').Pictures} pictures */
  constructor(token, pictures) {
    this.#token = token;
    this.#pictures = pictures;
    element('older').addEventListener('click', () => this.#turn([...this.#pages, this.#next]));
    element('newer').addEventListener('click', () => this.#turn(this.#pages.slice(0, -1)));
  }

  /** @param {string[]} pages */
  #turn(pages) {
    if (this.#asking) return;
    this.#pages = pages;
    this.refresh();
  }

  /** Ask again if it was long ago, for the newest ones: older ones stay as they are. */
  keep() {
    const due = this.#young || performance.now() - this.#asked >= WATCHING.over_every_ms;
    if (this.#pages.length === 1 && due) this.refresh();
  }

  async refresh() {
    this.#again = this.#asking;
    if (this.#asking) return;
    this.#asking = true;
    this.#asked = performance.now();
    const before = this.#pages[this.#pages.length - 1] ?? '';
    try {
      this.#show(await ask(`/over${before ? `?before=${encodeURIComponent(before)}` : ''}`, this.#token));
    } catch (error) {
      element('over-told').textContent = error instanceof Error ? error.message : String(error);
    } finally {
      this.#asking = false;
    }
    // Another game ended meanwhile.
    if (this.#again) this.refresh();
  }

  /** @param {any} found */
  #show(found) {
    const { games } = found;
    this.#young = games.some((/** @type {any} */ game) => game.ended !== null && found.time - game.ended <= found.store_every + 1);
    element('past').hidden = false;
    element('over-told').textContent = games.length === 0 ? 'None yet.' : '';
    for (const [game, card] of this.#cards) {
      if (games.some((/** @type {any} */ each) => each.game_id === game)) continue;
      this.#pictures.forget(game);
      card.remove();
      this.#cards.delete(game);
    }
    const cards = games.map((/** @type {any} */ game) => {
      const card = this.#cards.get(game.game_id) ?? this.#add(game);
      fillOver(card, game);
      return card;
    });
    // In their order, and none is taken out that is there: a picture in it would lose its place.
    cards.forEach((/** @type {HTMLElement} */ card, /** @type {number} */ at) => {
      const there = element('over').children[at] ?? null;
      if (there !== card) element('over').insertBefore(card, there);
    });
    this.#next = found.next ?? '';
    /** @type {HTMLButtonElement} */ (element('older')).disabled = !this.#next;
    /** @type {HTMLButtonElement} */ (element('newer')).disabled = this.#pages.length === 1;
    element('pages').hidden = !this.#next && this.#pages.length === 1;
  }

  /** @param {any} game @returns {HTMLElement} */
  #add(game) {
    const nothing = game.episodes === 0;
    const card = cardOf(game, 'h3', nothing ? null : () => this.#pictures.toggle(game.game_id, game.key, card));
    card.querySelector('.scroll')?.remove();
    this.#cards.set(game.game_id, card);
    return card;
  }
}
