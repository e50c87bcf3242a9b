// @ts-check
/**
 * What the page says of the players, in the words of people who play: who is there, who is not, and what happens now.
 *
 * No word of networks is among them. Whoever runs a study finds those in the data, and behind `?details`.
 */

/** @typedef {import('./hud.js').HudPlayer} HudPlayer */

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
export function standing({ gone, interrupted, hidden, path, connection_type: kind }) {
  if (gone) return 'left';
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
  const silent = seatsOf(players, ({ interrupted }) => interrupted);
  if (silent.length > 0) return `${said(silent)} ${silent.length === 1 ? 'does' : 'do'} not answer. The game waits a moment.`;
  const others = seatsOf(players, () => true);
  if (stalled) return others.length === 1 ? `Waiting for ${sentence(said(others))}…` : 'Waiting for the others…';
  const away = seatsOf(players, ({ hidden }) => hidden);
  if (away.length > 0) return `${said(away)} ${away.length === 1 ? 'is' : 'are'} in another window.`;
  return '';
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
  const name = subject(players, seat);
  if (onDrop === undefined) return `${name} has left.`;
  if (onDrop === 'policy') return `${name} has left. The computer plays on instead.`;
  return onDrop === 'end' ? `${name} has left. The game ends.` : `${name} has left. The game goes on.`;
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
};

/**
 * @param {string} code
 * @param {string} text the reason in words, where there are any
 * @param {HudPlayer[]} players
 * @param {number} seat of whom it is due to; -1 if nobody is named
 */
export function ended(code, text, players, seat) {
  const name = seat < 0 ? 'The other player' : subject(players, seat);
  if (code === 'player_left') return `${name} has left, so the session ended early.`;
  if (code === 'returned') return `${name} loaded the page again, so the session ended early.`;
  return ENDINGS[code] ?? `The session ended early: ${text || code}`;
}
