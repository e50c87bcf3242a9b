// @ts-check
/** What a key means by its place on the keyboard, where nothing else says what is meant by it. */

import { PLACES } from './handed.js';

/** A name instead of a character: `Enter`, `ArrowLeft`, `F1`. */
const NAME = /^[A-Z][A-Za-z0-9]+$/;

/**
 * What stands at a key's place on a US keyboard, if it may be meant: the space bar whatever it writes; a letter where the
 * layout has no letter from a to z at that place (another script, an input method, which keeps it to itself, letters and
 * signs of a language of its own); a digit where it takes Shift (AZERTY). A sign is somewhere on every Latin layout: it
 * is meant by its place in another script alone.
 *
 * A layout that has such a letter elsewhere (Dvorak: a comma at W's place) is known by nothing that a page is told: there
 * two keys mean it. Whoever asks lets a key that means something by itself mean that.
 *
 * @param {string} code the physical key
 * @param {string} key its meaning, as `KeyboardEvent.key` has it
 * @returns {string} or ''
 */
export function byPlace(code, key) {
  // These say that there was a character, and not which one.
  const kept = ['Process', 'Unidentified', 'Dead'].includes(key);
  if (NAME.test(key) && !kept) return '';
  if (code === 'Space') return ' ';
  const [, kind, name = ''] = /^(Key|Digit)(.)$/.exec(code) ?? [];
  if (kind === 'Digit') return /^[a-z0-9]$/i.test(key) ? '' : name;
  if (kind === 'Key') return /^[a-z]$/i.test(key) ? '' : name.toLowerCase();
  const foreign = kept || [...key].some((character) => character > '\u024f');
  return foreign ? /** @type {Record<string, string>} */ (PLACES)[code] ?? '' : '';
}
