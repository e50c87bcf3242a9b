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

const language = () => globalThis.document?.documentElement?.lang || 'en';

/** @param {string} name */
export const hasText = (name) => Object.hasOwn(texts(), name);

/**
 * A text with its values.
 *
 * @param {string} name
 * @param {Record<string, string | number>} [values] numbers are written as the language does
 */
export function text(name, values = {}) {
  const found = texts()[name] ?? name;
  const form = typeof found === 'string' ? found
    : found[new Intl.PluralRules(language()).select(Number(values['count'] ?? 0))] ?? found['other'] ?? name;
  return form.replace(/\{(\w+)\}/g, (whole, key) => {
    const value = values[key];
    return value === undefined ? whole : typeof value === 'number' ? number(value) : value;
  });
}

/** The text of somebody with a name, or else of the other player, who alone can be meant: without one. @param {string} name @param {string} of '' @param {Record<string, string | number>} [values] */
export const textOf = (name, of, values = {}) => (of ? text(name, { ...values, names: of }) : text(`${name}.partner`, values));

/** @param {number} value */
export const number = (value) => new Intl.NumberFormat(language(), { maximumFractionDigits: 1 }).format(value);

/** @param {number} share 0 to 1 */
export const percent = (share) => new Intl.NumberFormat(language(), { style: 'percent', maximumFractionDigits: 0 }).format(share);

/** Names in a sentence: "Coral, Green, and Violet". @param {string[]} names */
export const together = (names) => new Intl.ListFormat(language(), { type: 'conjunction' }).format(names);

/** Whether the page shows what the participants of a study have no use for: by the study's `view`, or `?details`. */
export const forDeveloper = () => globalThis.document?.documentElement?.dataset?.['view'] === 'developer';
