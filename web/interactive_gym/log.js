// @ts-check
/** The console of the host page, of which every call goes to the page's server as well. */

import { describe } from '../core/errors.js';

/** @type {import('../core/errors.js').Report} */
export function report(where, error) {
  const { code, message, details } = describe(error);
  console.error(`[pycore] ${where}: ${code}: ${message}\n${details}`);
}

/** What Python says for the log. */
export class Log {
  /** Not written yet. @type {string[]} */ #lines = [];

  /**
   * Warnings and errors are calls of their own. A tick with a rollback has up to ten lines of the other kind, and the page
   * takes longer over a call than the rollback does. So those of one tick are one call, and that waits until the page has
   * what the tick gave it.
   *
   * @param {string} level
   * @param {string} text
   */
  say(level, text) {
    if (level === 'error' || level === 'warning') {
      this.#flush();
      if (level === 'error') console.error(text);
      else console.warn(text);
      return;
    }
    this.#lines.push(text);
    if (this.#lines.length === 1) setTimeout(() => this.#flush());
  }

  #flush() {
    if (this.#lines.length === 0) return;
    const text = this.#lines.join('\n');
    this.#lines = [];
    console.info(text);
  }
}
