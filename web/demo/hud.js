// @ts-check
/**
 * What the participant sees around the running game: players, score, path, RTT, rollbacks, stall, episodes.
 *
 * It shows what `hud()` says, five times a second, and touches the page only where something changed. A stall
 * is shown when it has lasted a moment: single stalled ticks belong to the normal course of things.
 */

import { element, frames, keySymbol, make, say, singleKeys } from './screens.js';

/** A stall shorter than this is nobody's business, s. */
const STALL_SHOWN_AFTER = 0.4;

/**
 * @typedef {object} HudPlayer
 * @property {number | string} id
 * @property {boolean} you
 * @property {'p2p' | 'socketio' | null} path
 * @property {number | null} rtt_ms
 * @property {string} [color]
 * @property {string} [name]
 * @property {boolean} [hidden]
 * @property {boolean} [interrupted]
 * @property {boolean} [policy] nobody sits there: every page computes what it does
 */

/**
 * @typedef {object} HudData
 * @property {HudPlayer[]} players by seat
 * @property {number} frame
 * @property {number} episode
 * @property {number} num_episodes
 * @property {(number | null | object)[] | Record<string, number> | null} [rewards] null: they have no sum
 * @property {number | number[] | null} [score]
 * @property {number} rollbacks
 * @property {number} max_rollback_frames
 * @property {boolean} stalled
 * @property {boolean} holding
 * @property {string} phase
 * @property {string} notice a word to the player, while it is to be shown
 */

const PATH_NAMES = { p2p: 'P2P', socketio: 'socket.io' };

/** @param {HudPlayer[]} players @param {number} seat */
export function playerName(players, seat) {
  const player = players[seat];
  if (!player) return `Player ${seat + 1}`;
  if (player.you) return 'You';
  return player.name ?? (players.length === 2 ? 'Partner' : `Player ${seat + 1}`);
}

/**
 * Points by seat, or null if the game has no points per player.
 *
 * @param {HudData} data
 * @returns {number[] | null}
 */
export function points({ score, rewards, players }) {
  const bySeat = Array.isArray(rewards) || !rewards ? rewards : players.map(({ id }) => rewards[String(id)] ?? 0);
  const gained = score ?? bySeat;
  // Rewards that are vectors are in the data; a person needs one number.
  return Array.isArray(gained) && gained.every(Number.isFinite) ? /** @type {number[]} */ (gained) : null;
}

/**
 * One line of everybody's points.
 *
 * @param {HudData} data
 * @returns {string} '' if the game has none
 */
export function pointsLine(data) {
  const gained = points(data);
  if (gained === null) return '';
  return data.players.map((_, seat) => `${playerName(data.players, seat)} ${number(gained[seat] ?? 0)}`).join(' · ');
}

/** @param {number} value */
const number = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(1));

export class Hud {
  /** @type {Map<Element, string>} */ #shown = new Map();
  #shape = '';
  #stalledSince = NaN;
  #notice = '';
  /** @type {Record<string, string>} */ #paths = {};

  /**
   * @param {object} settings of the study
   * @param {number} [settings.fps]
   * @param {number} [settings.max_steps]
   */
  constructor({ fps = 30, max_steps: maxSteps = 0 }) {
    this.fps = fps;
    this.maxSteps = maxSteps;
    element('details').replaceChildren();
    element('hud-players').replaceChildren();
    this.banner('Getting ready', 'Connecting to the other player…');
  }

  /** @param {Element} target @param {string} text */
  #text(target, text) {
    if (this.#shown.get(target) === text) return;
    this.#shown.set(target, text);
    target.textContent = text;
  }

  /** @param {HudData} data @param {number} now s */
  update(data, now) {
    this.#players(data);
    const whole = typeof data.score === 'number' ? `Score ${number(data.score)}` : '';
    this.#text(element('hud-score'), whole);
    this.#text(element('hud-round'), this.#round(data));
    this.#details(data);
    this.#notices(data, now);
  }

  /** @param {HudData} data */
  #round({ episode, num_episodes: episodes, frame, phase }) {
    // Between two rounds the banner says which one is over; the line keeps its place.
    if (phase.startsWith('between')) return '\u00a0';
    const round = episodes > 1 ? `Round ${Math.min(episode + 1, episodes)} of ${episodes}` : '';
    // A limit of many minutes is a safety net, not something to play against.
    const left = Math.max(0, (this.maxSteps - frame) / this.fps);
    if (this.maxSteps === 0 || this.maxSteps / this.fps > 300) return round;
    const time = `${Math.floor(left / 60)}:${String(Math.floor(left % 60)).padStart(2, '0')}`;
    return round ? `${round} · ${time}` : time;
  }

  /** @param {HudData} data */
  #players(data) {
    const { players } = data;
    const list = element('hud-players');
    const shape = players.map(({ id, you }) => `${id}${you}`).join();
    if (shape !== this.#shape) {
      this.#shape = shape;
      list.replaceChildren(...players.map((player, seat) => {
        const item = make('li');
        const dot = make('span', 'dot');
        dot.style.background = player.color ?? `var(--seat-${seat % 4})`;
        dot.setAttribute('aria-hidden', 'true');
        item.append(dot, make('span', 'name', playerName(players, seat)), make('span', 'points'));
        if (!player.you && !player.policy) item.append(make('span', 'badge'), make('span', 'rtt'));
        return item;
      }));
    }
    const gained = points(data);
    players.forEach((player, seat) => {
      const item = list.children[seat];
      if (!item) return;
      const [, , score, badge, rtt] = item.children;
      if (score) this.#text(score, gained ? number(gained[seat] ?? 0) : '');
      if (!badge || !rtt) return;
      badge.className = `badge ${player.path ?? ''}`;
      this.#text(badge, player.interrupted ? 'interrupted' : player.path ? PATH_NAMES[player.path] : 'connecting');
      this.#text(rtt, player.rtt_ms === null || player.rtt_ms === undefined ? '' : `${Math.round(player.rtt_ms)} ms`);
      const before = this.#paths[String(player.id)];
      if (player.path && before && before !== player.path) {
        say(`${playerName(players, seat)}: connection changed to ${player.path === 'p2p' ? 'peer-to-peer' : 'the server'}`);
      }
      if (player.path) this.#paths[String(player.id)] = player.path;
    });
  }

  /** @param {HudData} data */
  #details(data) {
    const { rollbacks, max_rollback_frames: deepest, frame } = data;
    const list = element('details');
    if (list.childElementCount === 0) {
      for (const name of ['Frame', 'Rollbacks', 'Longest rollback']) {
        const row = make('div');
        row.append(make('dt', '', name), make('dd'));
        list.append(row);
      }
    }
    const values = [String(frame), String(rollbacks), frames(deepest)];
    [...list.querySelectorAll('dd')].forEach((value, index) => this.#text(value, values[index] ?? ''));
  }

  /** @param {HudData} data @param {number} now s */
  #notices({ stalled, phase, players, notice }, now) {
    if (phase === 'playing' || phase === 'holding') this.banner('', '');
    if (!stalled) this.#stalledSince = NaN;
    else if (Number.isNaN(this.#stalledSince)) this.#stalledSince = now;
    const away = players.find(({ you, hidden }) => !you && hidden);
    let text = '';
    // It is there for a few seconds only; the others come again.
    if (notice) text = notice;
    else if (now - this.#stalledSince >= STALL_SHOWN_AFTER) text = 'Waiting for the other player…';
    else if (away) text = 'The other player is in another window';
    const pill = element('stall');
    pill.hidden = text === '';
    if (text) this.#text(pill, text);
    if (notice !== this.#notice && notice) say(notice);
    this.#notice = notice;
  }

  /** A message over the picture, or '' to take it away. @param {string} title @param {string} text */
  banner(title, text) {
    const banner = element('banner');
    banner.hidden = title === '';
    this.#text(element('banner-title'), title);
    this.#text(element('banner-text'), text);
    if (title) say(`${title}. ${text}`);
  }
}

/**
 * Touch buttons for a mapping: directions on the left, the rest on the right.
 *
 * @param {import('./keys.js').Mapping} mapping
 * @returns {HTMLElement[]} the buttons, in the page
 */
export function makeTouchButtons(mapping) {
  const left = make('div');
  const right = make('div');
  const buttons = singleKeys(mapping).map((key) => {
    const button = make('button', '', keySymbol(key));
    button.type = 'button';
    button.tabIndex = -1;
    button.dataset['key'] = key;
    button.setAttribute('aria-label', key);
    (['ArrowLeft', 'ArrowRight', 'a', 'd'].includes(key) ? left : right).append(button);
    return button;
  });
  const row = element('touch');
  row.replaceChildren(left, right);
  row.hidden = !window.matchMedia('(pointer: coarse)').matches;
  return buttons;
}
