// @ts-check
/**
 * Who ticks when: the loop of a session inside the page, for both of its generations.
 *
 * The page of 0.1.3 gives us a callback that steps it once, asynchronously; a tick that comes while the last one is at
 * work stays due. The seed's page steps by itself, from its renderer: what comes too early is refused, and while it does
 * not come (its tab is hidden), the ticks go on without it. Ticks without the page play the default action.
 */

import { seconds } from '../core/bridge.js';
import { Ticker } from '../core/timer.js';
import { PACE } from './handed.js';

/**
 * @typedef {object} Paced the game whose loop this is
 * @property {boolean} stepsItself the page steps from its renderer; otherwise it is stepped by `callback`
 * @property {boolean} isProcessingTick the page is at work; it says itself when it is not any more
 * @property {boolean} waits the page waits for the session, or is through with it: ticks go on without it
 * @property {number} period s
 * @property {() => void} pump a tick without the page
 */

/**
 * @param {import('./entry.js').MultiplayerPyodideGame} face the page's object
 * @param {{resetting: boolean, period: number}} game what is played in it
 * @param {() => void} pump
 * @returns {Paced}
 */
export function paced(face, game, pump) {
  return {
    stepsItself: face.can.steps_itself,
    get isProcessingTick() {
      return face.isProcessingTick;
    },
    set isProcessingTick(busy) {
      face.isProcessingTick = busy;
    },
    get waits() {
      return game.resetting || face.state === 'done' || face.sceneExited;
    },
    get period() {
      return game.period;
    },
    pump,
  };
}

export class PageLoop {
  #paced;
  #report;
  #ticker;
  #steppedAt = 0;
  #pumpedAt = 0;
  #due = 0;
  /** Steps the page of 0.1.3 once. @type {(() => unknown) | null} */
  callback = null;

  /** @param {Paced} paced @param {import('../core/errors.js').Report} report */
  constructor(paced, report) {
    this.#paced = paced;
    this.#report = report;
    this.#ticker = new Ticker(() => this.#tick(), seconds, report);
  }

  start() {
    this.#ticker.start();
  }

  stop() {
    this.#ticker.stop();
  }

  nudge() {
    this.#ticker.nudge();
  }

  /** Whether the page may step now; if so, it does. */
  takeTurn() {
    const now = seconds();
    if (this.#paced.stepsItself) {
      const { period } = this.#paced;
      if (now < this.#due - PACE.early_periods * period) return false;
      this.#due = Math.max(this.#due + period, now - PACE.arrears_periods * period);
    }
    this.#steppedAt = now;
    return true;
  }

  #pump() {
    this.#pumpedAt = seconds();
    this.#paced.pump();
  }

  /** @returns {number} period, s; below zero if the page was still at work */
  #tick() {
    const paced = this.#paced;
    const { period } = paced;
    const quiet = seconds() - this.#steppedAt;
    if (paced.stepsItself) {
      if (paced.waits || document.hidden || quiet > PACE.late_periods * period) {
        this.#steppedAt = seconds();
        this.#pump();
      }
      return period;
    }
    if (paced.waits || this.callback === null) {
      this.#steppedAt = seconds();
      this.#pump();
      return period;
    }
    if (paced.isProcessingTick) {
      if (quiet > PACE.stuck_s && seconds() - this.#pumpedAt >= period) this.#pump();
      return -period;
    }
    paced.isProcessingTick = true;
    Promise.resolve(this.callback()).catch((error) => this.#report('page tick', error)).finally(() => {
      paced.isProcessingTick = false;
      this.#ticker.wake();
    });
    return period;
  }
}
