// @ts-check
/** Who wants to hear of something, in the order in which they came. */

/** @template {any[]} Words */
export class Listeners {
  /** @type {((...words: Words) => void)[]} */ #all = [];

  /**
   * @param {(...words: Words) => void} listener
   * @returns {() => void} stops listening
   */
  add(listener) {
    this.#all = [...this.#all, listener];
    return () => {
      this.#all = this.#all.filter((other) => other !== listener);
    };
  }

  /** Everybody who listens now hears it, also if somebody stops meanwhile. @param {Words} words */
  tell(...words) {
    for (const listener of this.#all) listener(...words);
  }
}
