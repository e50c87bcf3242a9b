// @ts-check
/**
 * Calls whoever waits in another tab when the game begins, or when it is asked whether they are there, and keeps the screen on while it runs.
 *
 * The call is the page's title, which a tab shows wherever it is; it ends when the page is seen. A screen that darkens, as
 * a phone's does while nobody touches it, hides the page, and the others would play against nobody: browsers that can keep
 * it on are asked to, as long as the page is seen and a game runs. What they refuse (a low battery) is not asked again
 * before the page was hidden.
 */

import { text } from './texts.js';

/** @typedef {import('./status.js').PagePhase} PagePhase */

export class Attention {
  #document;
  #navigator;
  #plays = false;
  /** What whoever is elsewhere is called with. @type {string} */ #call = '';
  /** The title in the place of which the call stands. @type {string | null} */ #title = null;
  /** @type {WakeLockSentinel | null} */ #lock = null;
  #asked = false;

  /** @param {Document} page @param {{wakeLock?: WakeLock}} browser */
  constructor(page = document, browser = navigator) {
    this.#document = page;
    this.#navigator = browser;
    page.addEventListener('visibilitychange', () => this.#seen());
  }

  /** The visit is in this phase; it may be told again and again. @param {PagePhase} phase */
  entered(phase) {
    const plays = phase === 'connecting' || phase === 'playing' || phase === 'between';
    const call = plays ? 'game.begins' : phase === 'asked' ? 'ready.asked' : '';
    if (call === this.#call) return;
    this.#call = call;
    this.#plays = plays;
    this.#endCall();
    if (call && this.#document.hidden) {
      this.#title = this.#document.title;
      this.#document.title = `${text(call)} – ${this.#title}`;
    }
    this.#keepAwake();
  }

  #seen() {
    if (!this.#document.hidden) this.#endCall();
    this.#asked = false;
    this.#keepAwake();
  }

  #endCall() {
    if (this.#title === null) return;
    this.#document.title = this.#title;
    this.#title = null;
  }

  #keepAwake() {
    if (!this.#plays) {
      void this.#lock?.release();
      this.#lock = null;
      this.#asked = false;
    } else if (!this.#asked && !this.#document.hidden) {
      this.#asked = true;
      // The browser itself takes it back when the page is hidden.
      this.#navigator.wakeLock?.request('screen').then((lock) => {
        if (this.#plays) this.#lock = lock;
        else void lock.release();
      }, (error) => console.info(`[pycore] the screen may darken: ${error}`));
    }
  }
}
