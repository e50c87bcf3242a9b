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
  /** Until the tick ends. @type {string[]} */ #lines = [];

  /**
   * Warnings and errors are calls of their own. A tick with a rollback has up to ten lines of the other kind: those of
   * one tick are one call.
   *
   * @param {string} level
   * @param {string} text
   */
  say(level, text) {
    if (level === 'error') console.error(text);
    else if (level === 'warning') console.warn(text);
    else {
      this.#lines.push(text);
      if (this.#lines.length === 1) queueMicrotask(() => this.#flush());
    }
  }

  #flush() {
    console.info(this.#lines.join('\n'));
    this.#lines = [];
  }
}
