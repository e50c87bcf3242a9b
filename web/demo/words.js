// @ts-check
/**
 * What the page says of the players, in the words of people who play: who is there, who is not, and what happens now.
 *
 * The words themselves stand in the table of texts; here it is chosen which of them are said.
 */

import { PageError } from '../core/errors.js';
import { digitsOf, forDeveloper, hasText, number, percent, text, textOf, together } from './texts.js';

/** @typedef {import('./hud.js').HudPlayer} HudPlayer */

/** @param {HudPlayer[]} players @param {number} seat */
export function playerName(players, seat) {
  const player = players[seat];
  if (player?.you) return text('player.you');
  if (player?.name) return player.name;
  return players.length === 2 && player ? text('player.partner') : text('player.number', { number: seat + 1 });
}

/** The same with one's own name, by which a picture may call one. @param {HudPlayer[]} players @param {number} seat */
export function listedName(players, seat) {
  const player = players[seat];
  return player?.you && player.name ? text('player.you_named', { name: player.name }) : playerName(players, seat);
}

/**
 * The name of somebody in a sentence; '' with two and without names, since there is only one to be meant.
 *
 * @param {HudPlayer[]} players
 * @param {number} seat -1: nobody is named
 */
function subject(players, seat) {
  if (seat < 0) return '';
  return players.length === 2 && !players[seat]?.name ? '' : playerName(players, seat);
}

/** A sentence about several players. @param {string} name of the text @param {HudPlayer[]} players @param {number[]} seats */
function about(name, players, seats) {
  const names = seats.map((seat) => subject(players, seat));
  return textOf(name, together(names), { count: seats.length });
}

/** What is the matter with somebody: a word beside the name, or ''. @param {HudPlayer} player */
export function standing({ gone, may_return: comesBack, opens, away, returning, interrupted, hidden, path, connection_type: kind }) {
  if (gone) return text(comesBack ? 'standing.away' : 'standing.left');
  if (returning || opens) return text('standing.returning');
  if (away && interrupted) return text('standing.reloading');
  if (interrupted) return text('standing.silent');
  if (hidden) return text('standing.away');
  if (!path) return text('standing.connecting');
  if (!forDeveloper()) return '';
  if (path === 'socketio') return text('standing.server');
  return text(kind === 'relay' ? 'standing.relayed' : 'standing.direct');
}

/** @param {HudPlayer[]} players @param {(player: HudPlayer) => unknown} which */
const seatsOf = (players, which) =>
  players.flatMap((player, seat) => (!player.you && !player.policy && !player.gone && !player.opens && which(player) ? [seat] : []));

/**
 * Why the game stands, or might soon; '' where all is well.
 *
 * @param {HudPlayer[]} players
 * @param {boolean} stalled whether it has been standing for a moment
 */
export function trouble(players, stalled) {
  if (players.some(({ you, opens }) => you && opens)) return text('back.soon');
  const reloading = seatsOf(players, ({ away, returning, interrupted }) => returning || (away && (interrupted || stalled)));
  if (reloading.length > 0) return about('trouble.reloading', players, reloading);
  const silent = seatsOf(players, ({ interrupted }) => interrupted);
  if (silent.length > 0) return about('trouble.silent', players, silent);
  if (stalled) return about('trouble.waiting', players, seatsOf(players, () => true));
  const away = seatsOf(players, ({ hidden }) => hidden);
  return away.length > 0 ? about('trouble.hidden', players, away) : '';
}

/** Whether the game stands for as long as the server is away. @param {HudPlayer[]} players */
export function waitsForServer(players) {
  return seatsOf(players, ({ path, interrupted }) => interrupted || path === 'socketio').length > 0;
}

/** The server is away: what that means for the game. @param {HudPlayer[]} players */
export function withoutServer(players) {
  if (waitsForServer(players)) return text('server.waits');
  const others = seatsOf(players, () => true);
  if (others.length === 0) return text('server.alone');
  return text(others.some((seat) => !players[seat]?.path) ? 'server.trying' : 'server.among_us');
}

/**
 * How far a page is that comes back, while it steps what was played.
 *
 * @param {number} done frames
 * @param {number} whole
 * @returns {[title: string, text: string]}
 */
export function catchingUp(done, whole) {
  // It is not done before it is: 99.6 % are 99 %.
  const share = whole > 0 ? Math.floor((100 * done) / whole) / 100 : 0;
  return [text('back.short'), whole > 0 ? text('back.share', { percent: percent(share) }) : text('back.asking')];
}

/** @param {HudPlayer[]} players @param {number} seat */
export const isBack = (players, seat) => textOf('news.back', subject(players, seat));

/** The others play on, until it is back. @param {HudPlayer[]} players @param {number} seat */
export const isAway = (players, seat) => textOf('news.away', subject(players, seat));

/**
 * @param {HudPlayer[]} players
 * @param {number} seat
 * @param {string | undefined} onDrop what the study does then; undefined while it is not decided
 */
export function hasLeft(players, seat, onDrop) {
  // Nobody is said to have left whose page broke.
  const gone = textOf(players[seat]?.failed ? 'news.failed' : 'news.left', subject(players, seat));
  return onDrop === undefined ? gone : `${gone} ${text(`then.${onDrop}`)}`;
}

/** How many of the others are reached already. @param {HudPlayer[]} players */
export function gettingReady(players) {
  const others = players.filter(({ you, policy }) => !you && !policy);
  return text('game.connecting', { count: others.length, reached: others.filter(({ path }) => path).length });
}

/**
 * The waiting room.
 *
 * @param {number} here
 * @param {number} missing
 * @returns {{title: string, text: string}}
 */
export function waiting(here, missing) {
  const title = text('waiting.title', { count: missing });
  const all = here + missing;
  return { title, text: all === 2 ? text('waiting.pair') : text(here === 1 ? 'waiting.first' : 'waiting.some', { here, all }) };
}

/** Why a session ended, where it is due to somebody, by the code of the end. @type {Record<string, string>} */
const DUE_TO = { player_left: 'ended.left', no_return: 'ended.not_back', returned: 'ended.returned' };

/**
 * Why a session ended, for the person who played it.
 *
 * @param {string} code
 * @param {string} reason in words, where there are any: of Python's, and not for participants
 * @param {HudPlayer[]} players
 * @param {number} seat of whom it is due to; -1 if nobody is named
 */
export function ended(code, reason, players, seat) {
  const due = DUE_TO[code];
  if (due && !(code === 'no_return' && seat < 0)) {
    return textOf(code === 'player_left' && players[seat]?.failed ? 'ended.failed' : due, subject(players, seat));
  }
  if (hasText(`ended.${code}`)) return text(`ended.${code}`);
  return forDeveloper() ? text('ended.reason', { reason: reason || code }) : text('ended.other');
}

/**
 * Who won, and by how much.
 *
 * @param {import('./hud.js').Outcome | null | undefined} outcome as Python has it; none: nobody did
 * @param {HudPlayer[]} players
 */
export function won(outcome, players) {
  if (!outcome) return '';
  const { points, first, by } = outcome;
  const me = players.findIndex(({ you }) => you);
  // By how much is one of those numbers too: 0.5 to 0.45 is by 0.05, and by no 0.1.
  const digits = digitsOf([...points, by, 0]);
  const mine = number(points[me] ?? 0, digits);
  const best = number(points[first[0] ?? 0] ?? 0, digits);
  const others = first.filter((seat) => seat !== me);
  const name = together(others.map((seat) => subject(players, seat)));
  if (players.length === 2) {
    const theirs = number(points[1 - me] ?? 0, digits);
    if (first.length === 2) return text('outcome.tied', { mine, theirs });
    if (first[0] === me) return text('outcome.won', { count: by, mine, theirs }, digits);
    return textOf('outcome.lost', name, { count: by, mine, theirs }, digits);
  }
  if (first.length === players.length) return text('outcome.group_tied', { mine });
  if (first.includes(me)) {
    return others.length > 0 ? text('outcome.group_shared', { names: name, mine }) : text('outcome.group_won', { count: by, mine }, digits);
  }
  return text(others.length > 1 ? 'outcome.group_others' : 'outcome.group_lost', { names: name, theirs: best, mine });
}

/** In the place of a picture that cannot be drawn. @param {string} why */
export const noPicture = (why) => (forDeveloper() ? text('game.no_picture_why', { why }) : text('game.no_picture'));

/** There is no connection: what the server said of it, where it said something. @param {string} reason */
export const withoutConnection = (reason) => text(hasText(`refused.${reason}`) ? `refused.${reason}` : 'server.trying');

/** A refusal of the server as an error for the person who plays. @param {string} code @param {string} message the server's */
export function refusal(code, message) {
  const [said, toDo] = [`error.${code}`, `advice.${code}`];
  return new PageError(code, hasText(said) ? text(said) : message, hasText(toDo) ? text(toDo) : '');
}

/**
 * What is shown of an error: to a participant what the table has for it, to a developer what happened.
 *
 * @param {{code: string, message: string, advice: string, details: string}} error
 * @returns {{message: string, advice: string, details: string}}
 */
export function failed({ code, message, advice, details }) {
  if (forDeveloper()) return { message, advice: advice || text('advice.other'), details };
  const [said, toDo] = [`error.${code}`, `advice.${code}`];
  return {
    message: text(hasText(said) ? said : 'error.other'),
    advice: text(hasText(toDo) ? toDo : 'advice.other'),
    details: [message, advice, details].filter(Boolean).join('\n\n'),
  };
}
