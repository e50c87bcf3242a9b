// @ts-check
/** The browser's database of what is kept: one store of items by their keys, and how long it may take over something. */

import { PageError } from '../core/errors.js';
import { ours } from '../core/root.js';

const DATABASE = ours('pycore');
export const STORE = 'outbox';

/** @typedef {import('./storage.js').Item} Item */

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The database, and what an earlier visit has left in it. @returns {Promise<[IDBDatabase, Item[]]>} */
export async function openDatabase() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => void request.result.createObjectStore(STORE, { keyPath: 'key' });
  const database = await done(request);
  return [database, await done(database.transaction(STORE).objectStore(STORE).getAll())];
}

/**
 * What was written is there when its transaction is complete, and not before: a full disk ends it behind the request.
 *
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>}
 */
export function committed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was broken off'));
  });
}

/** What the server has is deleted, unless another window of this browser has put a newer version there. @param {IDBObjectStore} store @param {Pick<Item, 'key' | 'created'>} item */
export function removeStored(store, { key, created }) {
  const found = store.get(key);
  found.onsuccess = () => {
    // An older one is there where the browser had no room for this one.
    if (found.result?.created <= created) store.delete(key);
  };
}

/**
 * An answer in time, or a failure.
 *
 * @template T
 * @param {Promise<T>} work
 * @param {number} ms
 * @returns {Promise<T>}
 */
export function within(work, ms) {
  return new Promise((resolve, reject) => {
    let timer = 0;
    /** @param {number} times */
    const wait = (times) => {
      const began = performance.now();
      timer = window.setTimeout(() => {
        // A page that stood still meanwhile (a lid that was closed, a phone's page in the background) has its timers before its answers.
        if (times > 1 && performance.now() - began > 1.5 * ms) wait(times - 1);
        else reject(new PageError('database-silent', `the browser's database has not answered within ${ms} ms`));
      }, ms);
    };
    wait(2);
    work.then(resolve, reject).finally(() => window.clearTimeout(timer));
  });
}
