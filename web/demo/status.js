// @ts-check
/**
 * What the page says of itself to whoever looks from outside: a test, a rehearsal, the console.
 *
 * The window has `pycoreLoaded` (Pyodide, and what makes the environment), `pycoreGame` (the running game) and
 * `pycoreStatus` ({phase, error, reports, stored, pending, outcome, load, notBack, gone}), and reads `pycoreReadAction(frame)` instead of the keyboard
 * if it is set, and asks `pycorePolicies`, by player, what those policies do that this page computes for all.
 */

import { PageError, describe } from '../core/errors.js';

/** @typedef {'loading' | 'start' | 'waiting' | 'asked' | 'returning' | 'connecting' | 'playing' | 'between' | 'done' | 'over' | 'failed'} PagePhase */

export const status = {
  phase: /** @type {PagePhase} */ ('loading'),
  /** What ended the visit. @type {{code: string, message: string, where: string} | null} */ error: null,
  /** Failures that did not: the first of them. @type {{code: string, message: string, where: string}[]} */ reports: [],
  /** Whether everything of this session has been acknowledged. */ stored: false,
  pending: 0,
  /** As many of the pending ones the server does not take. */ refused: 0,
  /** What the visit came to, by the server's word: `outcome`, `waited_s`, `next`. @type {any} */ outcome: null,
  /** How often this page was loaded again in the running game. */ load: 0,
  /** Why a page that came back found no game, or ''. */ notBack: '',
  /** What was settled of players who are gone, by id: the episode and the last frame with an action of their own, and
   * what becomes of the others. @type {Record<string, {episode: number, frame: number, cause: string, on_drop: string}>} */
  gone: {},
};

/** Whether a game goes on. @param {string} [phase] */
export const plays = (phase = status.phase) => ['connecting', 'playing', 'between'].includes(phase);

/** @type {Window & {pycoreGame?: import('../core/game.js').PycoreGame, pycoreStatus?: typeof status, pycoreLoaded?: import('../core/loader.js').Loaded, pycoreReadAction?: (frame: number) => unknown}} */
export const page = window;
page.pycoreStatus = status;

/** Failures of callbacks: in the console and in the status, the game goes on. @type {import('../core/errors.js').Report} */
export const report = (where, error) => {
  const { code, message } = describe(error);
  if (status.reports.length < 50) status.reports.push({ code, message, where });
  // What has a code of ours was foreseen; anything else is a fault.
  if (error instanceof PageError) console.warn(`[pycore] ${where}: ${code}: ${message}`);
  else console.error(`[pycore] ${where}: ${code}: ${message}`, error);
};

/**
 * What ends the visit is said to the server as well: whoever runs the study sees it in the server's log.
 *
 * @param {import('../core/core.js').Server | null} socket
 * @param {string} where
 * @param {unknown} error
 */
export function tellServer(socket, where, error) {
  const { code, message } = describe(error);
  socket?.emit('page_failed', { code, message, where, query: location.search }, true);
}

/**
 * A game that could not begin leaves no metrics: whoever runs the study finds in the server's log what differed.
 *
 * @param {import('../core/core.js').Server} socket
 * @param {import('../core/core.js').News} news `desync-report`
 */
export function tellDifferences(socket, news) {
  const said = news['differences'].map((/** @type {string[]} */ field) => field.join(' | '));
  tellServer(socket, 'desync', new PageError('desync', [...said, news['lacks']].filter(Boolean).join('; ')));
}
