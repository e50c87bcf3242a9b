// @ts-check
/**
 * By what the server knows a page, and what a page must know of its seat to come back to it after a reload.
 *
 * A session is the secret of a tab: `sessionStorage` is kept over a reload and a crash, and not shared with another tab.
 * (A tab that the browser duplicates has a copy; the newest that joins holds the seat, and the other is told.) A load is
 * known by another secret, made anew each time, so that the server can tell a socket that connects again from a page that
 * knows nothing any more.
 */

import { ours } from './root.js';

const KEY = ours('pycore-seat');

/**
 * @typedef {object} Kept
 * @property {string} session the secret that the server knows the seat by
 * @property {string} game
 */

/** A secret that nobody guesses. */
export function secret() {
  return [...crypto.getRandomValues(new Uint8Array(18))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The seat of the game in which this tab was when its page was loaded again. @returns {Kept | null} */
export function keptSeat() {
  try {
    const { session, game } = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? {};
    return typeof session === 'string' && typeof game === 'string' ? { session, game } : null;
  } catch {
    // No storage, or something in it that is not ours: a page like any other.
    return null;
  }
}

/** A game has begun that a reload may come back to. @param {Kept} seat */
export function keepSeat(seat) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(seat));
  } catch {
    // Where the browser keeps nothing, nobody returns.
  }
}

/** There is nothing to come back to. */
export function forgetSeat() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Then nothing was kept either.
  }
}

const PARTING = ours('pycore-parting');

/**
 * Keep what a page could not wait to have stored when it went: a database and a socket take a moment, this does not.
 *
 * @param {{event: string, data: Record<string, any>}[]} stores
 */
export function keepParting(stores) {
  for (let from = 0; from < stores.length; from = Math.ceil((from + stores.length) / 2)) {
    try {
      sessionStorage.setItem(PARTING, JSON.stringify(stores.slice(from)));
      return;
    } catch {
      // There is no room for all, or no storage: the newer half, at last one. The rest is with the others, as far as it came.
      if (from === stores.length - 1) return;
    }
  }
}

/** What the load before kept so; it is not kept any longer. @returns {{event: string, data: Record<string, any>}[]} */
export function takeParting() {
  try {
    const stores = JSON.parse(sessionStorage.getItem(PARTING) ?? '[]');
    sessionStorage.removeItem(PARTING);
    // Another version's may look otherwise, and no page fails for it.
    return Array.isArray(stores) ? stores.filter((each) => typeof each?.event === 'string' && each.data instanceof Object) : [];
  } catch {
    return [];
  }
}
