// @ts-check
/** What is asked of the server, with what opens it: the operator's token, or the key of one game. */

/** What stands behind the # of the address, which no server is sent. */
export function opened() {
  const given = new URLSearchParams(location.hash.slice(1));
  return { token: given.get('token') ?? '', game: given.get('game') ?? '', key: given.get('key') ?? '' };
}

/** @param {string} path below api/watch @param {string} word @returns {Promise<any>} */
export const ask = (path, word) => answer(`watch${path}`, word);

/** @param {string} word the operator's token @returns {Promise<any>} how the study is */
export const askStudy = (word) => answer('operator', word);

/** @param {boolean} open whether new games may begin @param {string} word @returns {Promise<any>} how the study is then */
export const openStudy = (open, word) => answer('operator/study', word, { open });

/** @param {string} path below api @param {string} word @param {any} [told] @returns {Promise<any>} */
async function answer(path, word, told) {
  const sent = told === undefined ? {} : { method: 'POST', body: JSON.stringify(told) };
  const response = await fetch(new URL(`../api/${path}`, location.href), {
    headers: { authorization: `Bearer ${word}` }, cache: 'no-store', ...sent,
  });
  const kind = response.headers.get('content-type') ?? '';
  const found = kind.includes('json') ? await response.json() : {};
  if (!response.ok) throw new Error(found.error ?? `the server answered ${response.status}; games of this one cannot be watched`);
  return found;
}
