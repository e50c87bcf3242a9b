// @ts-check
/** The policies of a study: those that every page computes, in Python, and those that this one computes, in JavaScript. */

import { FOR_THE_STUDY, PageError, sentence } from './errors.js';
import { get, patiently } from './fetching.js';

/**
 * The function that a file or package of the study has.
 *
 * @param {any} pyodide
 * @param {{module: string, factory: string}} of
 * @param {string} code
 * @returns {any}
 */
export function factoryOf(pyodide, { module: name, factory }, code) {
  const module = pyodide.pyimport(name);
  const make = module[factory]?.copy?.();
  module.destroy();
  if (make === undefined) throw new PageError(code, `${name} has no function ${factory}()`);
  return make;
}

/**
 * The policies that every page computes, as a Python dictionary by player; they are made for each game anew.
 *
 * @param {any} pyodide
 * @param {Record<string, {module: string, factory: string}>} named by player
 * @returns {() => any}
 */
export function loadPolicies(pyodide, named) {
  /** @type {[string, any][]} */
  const factories = Object.entries(named)
    .map(([player, of]) => [player, factoryOf(pyodide, of, 'load-policy')]);
  return () => {
    const made = factories.map(([player, make]) => [player, make()]);
    const policies = pyodide.toPy(Object.fromEntries(made));
    for (const [, policy] of made) policy.destroy();
    return policies;
  };
}

/**
 * The policies that this page computes for all, if it turns out to be the one: each module has a `makePolicy()`, which
 * returns the function, or a promise of it. They are put beside those that the page itself has, which come first.
 *
 * @param {Record<string, string>} modules by player
 * @param {(url: string) => string} resolve
 */
export async function loadPagePolicies(modules, resolve) {
  const page = /** @type {any} */ (globalThis);
  for (const [player, url] of Object.entries(modules)) {
    /** @type {unknown} */
    let policy;
    try {
      // An import has no patience, and may be remembered as failed; what was fetched is there for it.
      await get(resolve(url), 'a policy');
      policy = await patiently(async () => (await import(resolve(url))).makePolicy());
    } catch (error) {
      throw new PageError('load-policy', `The policy of player ${player} could not be made by ${url}: ${sentence(error)}`,
        `${FOR_THE_STUDY} ${url} has to export makePolicy(), which returns (observation, frame, episode) => action.`);
    }
    if (typeof policy !== 'function') {
      throw new PageError('load-policy', `makePolicy() of ${url} gave no function, for the policy of player ${player}.`,
        `${FOR_THE_STUDY} It returns (observation, frame, episode) => action.`);
    }
    page.pycorePolicies = { [player]: policy, ...page.pycorePolicies };
  }
}
