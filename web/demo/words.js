// @ts-check
/**
 * What the page says of the players, in the words of people who play: who is there, who is not, and what happens now.
 *
 * No word of networks is among them, but that the server is away. Whoever runs a study finds those in the data, and behind
 * `?details`.
 */

/** @typedef {import('./hud.js').HudPlayer} HudPlayer */

/** In the title of a page that nobody sees, when the game for which they waited begins. */
export const BEGINS = 'The game begins';

/** Names in a sentence: "Coral", "Coral and Green", "Coral, Green and Violet". @param {string[]} names */
export function together(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** @param {HudPlayer[]} players @param {number} seat */
export function playerName(players, seat) {
  const player = players[seat];
  if (!player) return `Player ${seat + 1}`;
  if (player.name) return player.name;
  if (player.you) return 'You';
  return players.length === 2 ? 'Partner' : `Player ${seat + 1}`;
}

/** The same in a list of everybody, where it must be seen which one is oneself. @param {HudPlayer[]} players @param {number} seat */
export function listedName(players, seat) {
  const player = players[seat];
  return player?.you && player.name ? `${player.name} (you)` : playerName(players, seat);
}

/**
 * The other player in a sentence. With two and without names there is only one to be meant.
 *
 * @param {HudPlayer[]} players
 * @param {number} seat
 */
function subject(players, seat) {
  const name = playerName(players, seat);
  return name === 'Partner' ? 'The other player' : name;
}

/** How somebody is reached or why not: a word beside the name. @param {HudPlayer} player */
export function standing({ gone, away, returning, interrupted, hidden, path, connection_type: kind }) {
  if (gone) return 'left';
  if (returning) return 'coming back';
  if (away && interrupted) return 'reloading';
  if (interrupted) return 'no answer';
  if (hidden) return 'away';
  if (!path) return 'connecting';
  if (path === 'socketio') return 'by the server';
  return kind === 'relay' ? 'relayed' : 'direct';
}

/** @param {HudPlayer[]} players @param {(player: HudPlayer) => unknown} which */
const seatsOf = (players, which) =>
  players.flatMap((player, seat) => (!player.you && !player.policy && !player.gone && which(player) ? [seat] : []));

/**
 * Why the game stands, or might soon; '' where all is well.
 *
 * @param {HudPlayer[]} players
 * @param {boolean} stalled whether it has been standing for a moment
 */
export function trouble(players, stalled) {
  const said = (/** @type {number[]} */ seats) => together(seats.map((seat) => subject(players, seat)));
  const reloading = seatsOf(players, ({ away, returning, interrupted }) => returning || (away && (interrupted || stalled)));
  if (reloading.length === 1) return `${pageOf(players, reloading[0] ?? 0)} is reloading. The game waits until it is back.`;
  if (reloading.length > 1) return `The pages of ${said(reloading)} are reloading. The game waits until they are back.`;
  const silent = seatsOf(players, ({ interrupted }) => interrupted);
  if (silent.length > 0) return `${said(silent)} ${silent.length === 1 ? 'does' : 'do'} not answer. The game waits a moment.`;
  const others = seatsOf(players, () => true);
  if (stalled) return others.length === 1 ? `Waiting for ${sentence(said(others))}…` : 'Waiting for the others…';
  const away = seatsOf(players, ({ hidden }) => hidden);
  if (away.length > 0) return `${said(away)} ${away.length === 1 ? 'is' : 'are'} in another window.`;
  return '';
}

/** Whether the game stands for as long as the server is away. @param {HudPlayer[]} players */
export function waitsForServer(players) {
  return seatsOf(players, ({ path, interrupted }) => interrupted || path === 'socketio').length > 0;
}

/** The server is away: what that means for the game. @param {HudPlayer[]} players */
export function withoutServer(players) {
  if (waitsForServer(players)) return 'No connection to the server. The game waits until it is back, and goes on by itself.';
  const others = seatsOf(players, () => true);
  if (others.length === 0) return 'No connection to the server. The game goes on.';
  if (others.some((seat) => !players[seat]?.path)) return NO_SERVER;
  return 'No connection to the server. The game goes on as long as the players reach each other.';
}

export const NO_SERVER = 'No connection to the server. Trying again…';

/** "Coral’s page" at the beginning of a sentence. @param {HudPlayer[]} players @param {number} seat */
const pageOf = (players, seat) => `${subject(players, seat)}’s page`;

/** What stands on the first screen of a page that was loaded again in the middle of a game. */
export const COMING_BACK = {
  title: 'You are coming back to your game',
  intro: 'The page is being loaded again. You do not have to do anything, and please keep it open: the game goes on by itself.',
};

/** The same, where the game is over. */
export const GAME_OVER = 'Your game has ended meanwhile. You can play a new one.';

/**
 * How far a page is that comes back, while it steps what was played.
 *
 * @param {number} done frames
 * @param {number} whole
 * @returns {[title: string, text: string]}
 */
export function catchingUp(done, whole) {
  const share = whole > 0 ? Math.floor((100 * done) / whole) : 0;
  return ['You are coming back', whole > 0 ? `Catching up: ${share} %` : 'Asking the others…'];
}

/** "The other player" within a sentence. @param {string} name */
const sentence = (name) => (name === 'The other player' ? 'the other player' : name);

/** @param {HudPlayer[]} players @param {number} seat */
export const isBack = (players, seat) => `${subject(players, seat)} is back.`;

/**
 * @param {HudPlayer[]} players
 * @param {number} seat
 * @param {string | undefined} onDrop what the study does then; undefined while it is not decided
 */
export function hasLeft(players, seat, onDrop) {
  const gone = isGone(players, seat);
  if (onDrop === undefined) return `${gone}.`;
  if (onDrop === 'policy') return `${gone}. The computer plays on instead.`;
  return onDrop === 'end' ? `${gone}. The game ends.` : `${gone}. The game goes on.`;
}

/** Nobody is said to have left whose page broke. @param {HudPlayer[]} players @param {number} seat */
function isGone(players, seat) {
  const name = seat < 0 ? 'The other player' : subject(players, seat);
  return players[seat]?.failed ? `${name}’s page has failed` : `${name} has left`;
}

/** How many of the others are reached already. @param {HudPlayer[]} players */
export function gettingReady(players) {
  const others = players.filter(({ you, policy }) => !you && !policy);
  if (others.length < 2) return 'Connecting to the other player…';
  const reached = others.filter(({ path }) => path).length;
  return `Connecting to the other players: ${reached} of ${others.length}…`;
}

/**
 * The waiting room.
 *
 * @param {number} here
 * @param {number} missing
 * @returns {{title: string, text: string}}
 */
export function waiting(here, missing) {
  const title = missing === 1 ? 'Waiting for another player' : `Waiting for ${missing} more players`;
  if (here + missing === 2) {
    return { title, text: 'The game starts by itself as soon as somebody joins. Please keep this page open.' };
  }
  const others = here === 1 ? 'You are the first' : `${here} of ${here + missing} are here`;
  return { title, text: `${others}. The game starts by itself as soon as all ${here + missing} are. Please keep this page open.` };
}

/** Why a session ended, for the person who played it. @type {Record<string, string>} */
const ENDINGS = {
  complete: 'The session is complete.',
  stop: 'The session was ended.',
  partition: 'The connection to the others was lost, so the session ended early.',
  desync: 'The players’ games no longer agreed, so the session ended early.',
  dropped: 'Your connection was away for too long, so the session ended early for you.',
  no_return: 'Your page could not come back into the game, so the session ended early.',
};

/**
 * @param {string} code
 * @param {string} text the reason in words, where there are any
 * @param {HudPlayer[]} players
 * @param {number} seat of whom it is due to; -1 if nobody is named
 */
export function ended(code, text, players, seat) {
  const name = seat < 0 ? 'The other player' : subject(players, seat);
  if (code === 'player_left') return `${isGone(players, seat)}, so the session ended early.`;
  if (code === 'no_return' && seat >= 0) return `${name} could not come back, so the session ended early.`;
  if (code === 'returned') return `${name} loaded the page again, so the session ended early.`;
  return ENDINGS[code] ?? `The session ended early: ${text || code}`;
}

/** What the server's refusals mean to the person in front of the page. @type {Record<string, string>} */
export const REFUSALS = {
  waited_too_long: 'Nobody else has come so far. You can try again.',
  server_full: 'All places are taken at the moment. This page takes the next one that becomes free; please keep it open.',
  replaced: 'The game was opened in another window, which goes on in place of this one.',
};

/** What to do in a window in whose place another one goes on. */
export const REPLACED = 'Please go on there. You can close this window.';
