// @ts-check
/**
 * The clock of the loop: ticks at the moments that Python asks for, also while the page is hidden.
 *
 * A hidden page's own timers are throttled to one a second and later to one a minute; those of a worker are
 * not. So a worker sleeps and the page does the work. Ticks have deadlines: a late wake-up does not shift the
 * ones after it, and what was missed is made up for, but at most so many ticks at a time as Python has it. Beyond that the time
 * is given up, since whoever runs after a lost second makes the others roll back over it.
 */

import { guard } from './errors.js';
import { TICKS } from './handed.js';

const { in_a_row: BURST, busy_wait_ms: BUSY_WAIT } = TICKS;

/**
 * Run the ticks that are due: the whole scheduling rule, a pure function of the clock.
 *
 * A tick that takes longer than its period ends the burst, so that a slow environment does not keep the
 * browser from delivering keys and messages. So does one that could not be run, because the last one is still
 * at work; it stays due.
 *
 * @param {number} due deadline of the next tick, s
 * @param {() => number} clock s
 * @param {() => number} tick does the work; returns the period until the next deadline, s, or below zero (the
 *   negative period) if it could not
 * @returns {number} the new deadline; in the past if more is due after the browser had its turn
 */
export function runDue(due, clock, tick) {
  const started = clock();
  let now = started;
  let period = 0;
  for (let done = 0; done < BURST && now >= due; done += 1) {
    period = tick();
    now = clock();
    if (period < 0) {
      period = -period;
      break;
    }
    due += period;
    if (now - started >= period) break;
  }
  return now - due > BURST * period ? now : due;
}

const WORKER = `
let timer = 0;
onmessage = ({ data }) => { clearTimeout(timer); if (data >= 0) timer = setTimeout(() => postMessage(0), data); };
`;

/**
 * Something that wakes us after a while. A worker where the page may have one, otherwise a plain timer.
 *
 * @param {() => void} wake
 * @param {import('./errors.js').Report} report
 * @returns {{after(delay: number): void, close(): void}} delay in ms; a new one replaces the old one
 */
export function createAlarm(wake, report) {
  try {
    const url = URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }));
    const worker = new Worker(url);
    let plain = false;
    let timer = 0;
    worker.onmessage = guard(report, 'timer.worker', () => wake());
    worker.onerror = guard(report, 'timer.worker', (event) => {
      plain = true;
      timer = window.setTimeout(wake, 0);
      report('timer.worker', new Error(`the timer worker failed (${event.message}); a hidden page will be slow`));
    });
    return {
      after(delay) {
        if (!plain) worker.postMessage(delay);
        else {
          window.clearTimeout(timer);
          timer = window.setTimeout(wake, delay);
        }
      },
      close() {
        worker.terminate();
        window.clearTimeout(timer);
        URL.revokeObjectURL(url);
      },
    };
  } catch (error) {
    report('timer.worker', error);
    let timer = 0;
    return {
      after(delay) {
        window.clearTimeout(timer);
        timer = window.setTimeout(guard(report, 'timer.page', wake), delay);
      },
      close() {
        window.clearTimeout(timer);
      },
    };
  }
}

/** Runs a tick at each deadline until it is stopped. */
export class Ticker {
  /** @type {{after(delay: number): void, close(): void} | null} */ #alarm = null;
  #due = 0;
  #running = false;

  /**
   * @param {() => number} tick returns the period to the next deadline in s; it must not throw
   * @param {() => number} clock s
   * @param {import('./errors.js').Report} report
   * @param {typeof createAlarm} [alarm]
   */
  constructor(tick, clock, report, alarm = createAlarm) {
    this.tick = tick;
    this.clock = clock;
    this.report = report;
    this.makeAlarm = alarm;
  }

  start() {
    if (this.#alarm !== null) return;
    this.#due = this.clock();
    this.#alarm = this.makeAlarm(() => this.wake(), this.report);
    this.wake();
  }

  /** A message arrived: if the alarm is late, as in a hidden page, it does not have to be waited for. */
  nudge() {
    if (this.clock() >= this.#due) this.wake();
  }

  /** Run what is due and set the alarm anew. */
  wake() {
    if (this.#alarm === null || this.#running) return;
    this.#running = true;
    const before = this.#due;
    try {
      this.#due = runDue(this.#due, this.clock, this.tick);
    } finally {
      this.#running = false;
      // A tick may have stopped the ticker.
      /** @type {{after(delay: number): void} | null} */ (this.#alarm)?.after(
        Math.max(this.#due === before && this.clock() >= before ? BUSY_WAIT : 0, (this.#due - this.clock()) * 1000));
    }
  }

  stop() {
    this.#alarm?.close();
    this.#alarm = null;
  }
}
