// @ts-check
/**
 * The page's texts, in the language of the study: the builder of the site puts the table into the page, whole.
 *
 * Names stand in pycore/site/texts. A text with a number, `count`, has a form for each plural category of its language.
 */

/** @typedef {string | Record<string, string>} Text */

/** @type {Record<string, Text> | null} */
let table = null;

/** Where no page is: in tests. @param {Record<string, Text>} texts */
export function useTexts(texts) {
  table = texts;
}

function texts() {
  table ??= /** @type {Record<string, Text>} */ (JSON.parse(document.getElementById('texts')?.textContent ?? '{}'));
  return table;
}

/** What `Intl` knows of the page's language; of a page by hand, whose language it cannot read, English. */
function language() {
  try {
    return Intl.getCanonicalLocales(globalThis.document?.documentElement?.lang || 'en')[0] ?? 'en';
  } catch {
    return 'en';
  }
}

/** @param {string} name */
export const hasText = (name) => Object.hasOwn(texts(), name);

/**
 * A text with its values.
 *
 * @param {string} name
 * @param {Record<string, string | number>} [values] numbers are written as the language does
 * @param {number} [digits] of a number behind the point, at most
 */
export function text(name, values = {}, digits = 1) {
  const found = texts()[name] ?? name;
  const form = typeof found === 'string' ? found
    : found[new Intl.PluralRules(language()).select(Number(values['count'] ?? 0))] ?? found['other'] ?? name;
  return form.replace(/\{(\w+)\}/g, (whole, key) => {
    const value = values[key];
    return value === undefined ? whole : typeof value === 'number' ? number(value, digits) : value;
  });
}

/** The text of somebody with a name, or else of the other player, who alone can be meant: without one. @param {string} name @param {string} of '' @param {Record<string, string | number>} [values] @param {number} [digits] */
export const textOf = (name, of, values = {}, digits = 1) => (of ? text(name, { ...values, names: of }, digits) : text(`${name}.partner`, values, digits));

/** @param {number} value @param {number} [digits] behind the point, at most */
export const number = (value, digits = 1) => new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);

/** With how many digits behind the point numbers that differ are seen to differ; one at least. @param {number[]} values */
export function digitsOf(values) {
  // Tenths that were added are off in their last digit: that is no difference.
  const different = new Set(values.map((value) => Number(value.toPrecision(12))));
  for (let digits = 1; digits < 15; digits += 1) {
    if (new Set([...different].map((value) => value.toFixed(digits))).size === different.size) return digits;
  }
  return 15;
}

/** @param {number} share 0 to 1 */
export const percent = (share) => new Intl.NumberFormat(language(), { style: 'percent', maximumFractionDigits: 0 }).format(share);

/** Names in a sentence: "Coral, Green, and Violet". @param {string[]} names */
export const together = (names) => new Intl.ListFormat(language(), { type: 'conjunction' }).format(names);

/** Whether the page shows what the participants of a study have no use for: by the study's `view`, or `?details`. */
export const forDeveloper = () => globalThis.document?.documentElement?.dataset?.['view'] === 'developer';
