// @ts-check
/** What a key means by its place on the keyboard, where nothing else says what is meant by it. */

import { PLACES } from './handed.js';

/**
 * What stands at a key's place on a US keyboard, if it is meant: a letter on a keyboard of another script (Cyrillic,
 * Greek, …) or behind an input method, which keeps it to itself, and a digit where it takes Shift (AZERTY). On a Latin
 * layout a letter is somewhere.
 *
 * @param {string} code the physical key
 * @param {string} key its meaning, as `KeyboardEvent.key` has it
 * @returns {string} or ''
 */
export function byPlace(code, key) {
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  const digit = /^Digit(\d)$/.exec(code)?.[1];
  const foreign = key.length === 1 ? key > '\u024f' : ['Process', 'Unidentified', 'Dead'].includes(key);
  if (digit !== undefined && !/^[a-z0-9]$/i.test(key)) return digit;
  return foreign ? letter?.toLowerCase() ?? /** @type {Record<string, string>} */ (PLACES)[code] ?? '' : '';
}
