// @ts-check
/** The picture of a game in its card, with what leads to another frame and to another episode. */

import { bytesOf } from '../core/bridge.js';
import { sentence } from '../core/errors.js';
import { Renderer } from '../demo/canvas.js';

/** The pages of the game lie above this one, and addresses that their environment draws are theirs. */
const ABOVE = new URL('../', import.meta.url);

/** @typedef {{look: (frame: number) => void, live: () => void, play: () => void, choose: (episode: number) => void}} Wishes
 * What whoever looks at it may want: a frame from 1 on, the newest one, to play or to stand, an episode from 0 on. */

export class Picture {
  #renderer;
  #root;

  /** @param {HTMLElement} root the card's view @param {AbortSignal} ends @param {Wishes} wishes @param {Pick<import('../core/loader.js').Manifest, 'images' | 'world'>} [study] */
  constructor(root, ends, wishes, { images, world } = {}) {
    this.#root = root;
    this.#renderer = new Renderer(this.#find('canvas'), (where, error) => console.warn(`[pycore] ${where}`, error), { smooth: false, images, world });
    /** @param {string} selector @param {string} type @param {() => void} then */
    const on = (selector, type, then) => this.#find(selector).addEventListener(type, then, { signal: ends });
    on('.slider', 'input', () => wishes.look(Number(this.#input('.slider').value)));
    on('.live', 'click', () => wishes.live());
    on('.play', 'click', () => wishes.play());
    on('.earlier', 'click', () => wishes.choose(this.#chosen - 1));
    on('.later', 'click', () => wishes.choose(this.#chosen + 1));
    on('.episode', 'change', () => {
      const field = this.#input('.episode');
      const episode = Math.round(Number(field.value)) - 1;
      if (field.value !== '' && Number.isFinite(episode)) wishes.choose(episode);
      field.value = String(this.#chosen + 1);
    });
    root.hidden = false;
  }

  #chosen = 0;

  /** @template {HTMLElement} T @param {string} selector @returns {T} */
  #find(selector) {
    const found = this.#root.querySelector(selector);
    if (found === null) throw new Error(`the card has no ${selector}`);
    return /** @type {T} */ (found);
  }

  /** @param {string} selector @returns {HTMLInputElement} */
  #input(selector) {
    return this.#find(selector);
  }

  /** @param {string} text */
  say(text) {
    const told = this.#find('.told');
    if (told.textContent !== text) told.textContent = text;
  }

  /** @param {boolean} bad whether what is said is why nothing more is shown */
  bad(bad) {
    const told = this.#find('.told');
    told.classList.toggle('bad', bad);
    // Where it goes on, what is said changes all the time: too much to be read out.
    told.setAttribute('aria-live', bad ? 'assertive' : 'off');
  }

  /** @param {number} episode that is shown, from 0 on @param {number} episodes that there are @param {boolean} running */
  episodes(episode, episodes, running) {
    this.#chosen = episode;
    this.#find('.live').hidden = !running;
    this.#find('.episodes').hidden = episodes < 2;
    const field = this.#input('.episode');
    field.max = String(Math.max(1, episodes));
    // Whoever is writing into it is not disturbed.
    if (document.activeElement !== field || field.dataset['shown'] !== String(episode)) field.value = String(episode + 1);
    field.dataset['shown'] = String(episode);
    this.#find('.of').textContent = `of ${episodes}`;
    /** @type {HTMLButtonElement} */ (this.#find('.earlier')).disabled = episode < 1;
    /** @type {HTMLButtonElement} */ (this.#find('.later')).disabled = episode + 1 >= episodes;
  }

  /** @param {boolean} playing @param {boolean} live it shows the newest frame that there is */
  plays(playing, live) {
    const button = this.#find('.play');
    const text = playing ? 'pause' : 'play';
    if (button.textContent !== text) button.textContent = text;
    this.#find('.live').setAttribute('aria-pressed', String(live));
  }

  /** @param {number} episode @param {number} frame @param {number} frames that can be shown */
  place(episode, frame, frames) {
    const slider = this.#input('.slider');
    slider.max = String(frames);
    slider.value = String(frame);
    this.#find('output').textContent = `${episode + 1} · ${frame} / ${frames}`;
  }

  /**
   * A picture is no part of a game: that there is none ends nobody's watching.
   *
   * @param {any} python the spectator
   * @param {number} frame
   * @returns {string} why it cannot be drawn, or ''
   */
  draw(python, frame) {
    try {
      this.#draw(python, frame);
      return '';
    } catch (error) {
      return sentence(error);
    }
  }

  /** @param {any} python @param {number} frame */
  #draw(python, frame) {
    const text = python.show(frame);
    if (!text) return;
    const picture = JSON.parse(text);
    for (const object of picture.objects) {
      if (typeof object?.pixels === 'number') object.pixels = bytesOf(python.pixels(object.pixels));
      if (typeof object?.src === 'string') object.src = new URL(object.src, ABOVE).href;
    }
    this.#renderer.show(picture, performance.now() / 1000, 0, false);
  }

  /** Nothing is shown any more. */
  close() {
    this.#renderer.close();
    this.#root.hidden = true;
  }
}
