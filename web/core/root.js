// @ts-check
/**
 * Where the server is: its modules are there too, so under a path where a proxy has put it under one. What the browser
 * keeps is by name and not by path, and several studies may have one name: each has a name of its own for what it keeps.
 */

/**
 * The path under which the server is reached, "/" mostly. Of modules that come from another site it is not known, and "/".
 *
 * @param {string} module address of a module in `core/`
 * @param {string | undefined} origin of the page
 */
export function rootOf(module, origin) {
  const root = new URL('../', module);
  // An address that was put together may have a slash too many; //api/ would be another server.
  return root.origin === origin ? root.pathname.replace(/\/{2,}/g, '/') : '/';
}

/** Of this page. */
export const ROOT = rootOf(import.meta.url, globalThis.location?.origin);

/** What this study calls something that the browser keeps. @param {string} name @param {string} [root] */
export const ours = (name, root = ROOT) => (root === '/' ? name : `${name} ${root}`);
