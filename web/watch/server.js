// @ts-check
/** What is asked of the server, with what opens it: the operator's token, or the key of one game. */

/** What stands behind the # of the address, which no server is sent. */
export function opened() {
  const given = new URLSearchParams(location.hash.slice(1));
  return { token: given.get('token') ?? '', game: given.get('game') ?? '', key: given.get('key') ?? '' };
}

/** @param {string} path below api/watch @param {string} word @returns {Promise<any>} */
export async function ask(path, word) {
  const response = await fetch(new URL(`../api/watch${path}`, location.href), {
    headers: { authorization: `Bearer ${word}` }, cache: 'no-store',
  });
  const kind = response.headers.get('content-type') ?? '';
  const answer = kind.includes('json') ? await response.json() : {};
  if (!response.ok) throw new Error(answer.error ?? `the server answered ${response.status}; games of this one cannot be watched`);
  return answer;
}
