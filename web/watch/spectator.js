// @ts-check
/**
 * One game as a spectator sees it: rows that the server has, stepped again in this page, and drawn as they were.
 *
 * It asks the server now and then for more, and plays them at the game's own speed, faster where it lags behind. What is
 * shown is confirmed, and older than `store_every`; whoever plays never hears of it.
 */

import { Renderer } from '../demo/canvas.js';
import { WATCHING } from './handed.js';
import { ask } from './server.js';

export class Spectator {
  #python;
  #renderer;
  #root;
  #word;
  #gameId;
  #timer = 0;
  #asking = false;
  #closed = false;
  #begun = false;
  #episode = 0;
  #fps = 30;
  #late = 0;
  /** Frames that came, that were stepped, and that is shown: 0 is the newest. */
  #came = 0;
  #stepped = 0;
  #shown = 0;
  #drawn = '';
  #episodeOver = false;
  #next = false;
  #takenBack = /** @type {number | null} */ (null);
  #owed = 0;
  #then = 0;
  /** Why nothing more is shown. */ #why = '';

  /**
   * @param {any} loaded what the page's loader gave
   * @param {HTMLElement} root the card's view
   * @param {string} gameId
   * @param {string} word the key of the game
   */
  constructor(loaded, root, gameId, word) {
    const module = loaded.pyodide.pyimport('pycore.bridge.spectator');
    this.environment = loaded.makeEnvironment();
    this.#python = module.create(this.environment);
    module.destroy();
    this.#root = root;
    this.#gameId = gameId;
    this.#word = word;
    this.#renderer = new Renderer(this.#find('canvas'), (where, error) => console.warn(`[pycore] ${where}`, error), { smooth: false });
    this.#slider.addEventListener('input', () => this.#look(Number(this.#slider.value)));
    this.#find('button.live').addEventListener('click', () => this.#look(0));
    root.hidden = false;
    this.#say('Waiting for rows…');
    this.#then = performance.now();
    this.#timer = window.setInterval(() => this.#turn(), WATCHING.turn_ms);
    this.#ask();
  }

  /** @template {HTMLElement} T @param {string} selector @returns {T} */
  #find(selector) {
    const found = this.#root.querySelector(selector);
    if (found === null) throw new Error(`the card has no ${selector}`);
    return /** @type {T} */ (found);
  }

  /** @returns {HTMLInputElement} */
  get #slider() {
    return this.#find('input');
  }

  /** @param {string} text */
  #say(text) {
    this.#find('.told').textContent = text;
  }

  /** What it has, for tests. */
  get state() {
    return {
      episode: this.#episode, came: this.#came, stepped: this.#stepped, shown: this.#shown || this.#stepped, why: this.#why,
      ...(this.#begun ? JSON.parse(this.#python.state(this.#stepped)) : {}),
    };
  }

  async #ask() {
    if (this.#asking || this.#closed || this.#why) return;
    this.#asking = true;
    try {
      const found = await ask(`/${encodeURIComponent(this.#gameId)}?episode=${this.#episode}&from=${this.#came}`, this.#word);
      if (!this.#closed) this.#take(found);
    } catch (error) {
      this.#say(String(error instanceof Error ? error.message : error));
    } finally {
      this.#asking = false;
    }
  }

  /** @param {any} found */
  #take(found) {
    this.#late = found.late_s;
    this.#fps = found.settings.fps ?? 30;
    if (!this.#begun) {
      // Who comes late begins with the newest episode; earlier ones are in the records.
      if (found.episodes > this.#episode + 1) {
        this.#episode = found.episodes - 1;
        return;
      }
      if (found.header === null) return;
      this.#python.begin(JSON.stringify(found.settings), found.header, this.#episode);
      this.#begun = true;
      this.#takenBack = found.taken_back;
      // What is there already is the past: it is stepped at once, and the slider leads to it.
      this.#owed = found.there_are;
    }
    if (found.taken_back !== null && found.taken_back !== this.#takenBack && found.taken_back < this.#came) {
      this.#anew(this.#episode);
      return;
    }
    if (found.from !== this.#came) return;
    if (found.rows && !(this.#episodeOver && found.to === this.#came)) this.#python.feed(found.rows);
    this.#came = found.to;
    this.#episodeOver ||= found.ended;
    this.#next = found.episodes > this.#episode + 1;
  }

  /** @param {number} episode */
  #anew(episode) {
    this.#episode = episode;
    this.#begun = this.#episodeOver = this.#next = false;
    this.#came = this.#stepped = this.#shown = this.#owed = 0;
    this.#drawn = '';
  }

  #turn() {
    const now = performance.now();
    this.#owed += ((now - this.#then) / 1000) * this.#fps;
    this.#then = now;
    if (now - this.#asked >= WATCHING.ask_every_ms || (this.#begun && this.#came - this.#stepped === 0 && this.#next)) {
      this.#asked = now;
      this.#ask();
    }
    if (!this.#begun || this.#why) return;
    try {
      this.#play();
      this.#draw();
    } catch (error) {
      this.#stop(`The rows cannot be stepped here: ${error instanceof Error ? error.message : error}`);
    }
  }

  #asked = 0;

  #play() {
    const waiting = this.#came - this.#stepped;
    // A store's worth waits when the next one comes; what is beyond is caught up with.
    this.#owed += Math.max(0, Math.ceil((waiting - 2 * this.#late * this.#fps) / 10));
    const goal = this.#stepped + Math.min(Math.floor(this.#owed), waiting);
    const until = performance.now() + WATCHING.longest_ms;
    while (this.#stepped < goal && performance.now() < until) {
      const before = this.#stepped;
      this.#stepped = this.#python.step(Math.min(goal - before, 10));
      this.#owed -= this.#stepped - before;
      if (this.#stepped === before) break;
    }
    // What was not there when it was due is not made good by a rush.
    this.#owed = Math.min(this.#owed, this.#came - this.#stepped + 1);
    if (this.#episodeOver && this.#stepped >= this.#came) this.#python.step(1);  // its end
    if (this.#episodeOver && this.#stepped >= this.#came && this.#next && this.#shown === 0) this.#anew(this.#episode + 1);
  }

  /** @param {number} frame 0: the newest */
  #look(frame) {
    this.#shown = frame >= this.#stepped ? 0 : frame;
    this.#find('button.live').setAttribute('aria-pressed', String(this.#shown === 0));
  }

  #draw() {
    const frame = this.#shown || this.#stepped;
    const place = `${this.#episode} ${frame} ${this.#stepped}`;
    if (frame < 1 || place === this.#drawn) return;
    const moved = !this.#drawn.startsWith(`${this.#episode} ${frame} `);
    this.#drawn = place;
    const state = JSON.parse(this.#python.state(frame));
    if (state.difference !== null) {
      this.#stop(`What this page computes is not what was recorded: ${state.difference}`);
      return;
    }
    const slider = this.#slider;
    slider.max = String(this.#stepped);
    slider.value = String(frame);
    this.#find('output').textContent = `${this.#episode + 1} · ${frame} / ${this.#stepped}`;
    const totals = Object.entries(state.totals).map(([player, total]) => `${player}: ${Math.round(Number(total) * 100) / 100}`);
    this.#say([
      `Confirmed, ${this.#late} s late or more; ${state.hashes} hashes compared`,
      totals.length > 0 ? `points ${totals.join(', ')}` : '',
    ].filter(Boolean).join(' · '));
    if (!moved) return;
    const text = this.#python.show(frame);
    if (!text) return;
    const picture = JSON.parse(text);
    for (const object of picture.objects) {
      if (typeof object?.pixels === 'number') object.pixels = this.#pixels(object.pixels);
    }
    this.#renderer.show(picture, performance.now() / 1000, 0, false);
  }

  /** @param {number} number @returns {Uint8Array} */
  #pixels(number) {
    const proxy = this.#python.pixels(number);
    const view = proxy.getBuffer('u8');
    try {
      return view.data.slice();
    } finally {
      view.release();
      proxy.destroy();
    }
  }

  /** @param {string} why */
  #stop(why) {
    this.#why = why;
    this.#find('.told').classList.add('bad');
    this.#say(why);
  }

  /** Give everything back. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    window.clearInterval(this.#timer);
    this.#renderer.close();
    this.#python.destroy();
    this.environment.destroy?.();
  }
}
