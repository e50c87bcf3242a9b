// @ts-check
/**
 * What the participant sees around the running game: who is who and how they are, points, rounds, why nothing moves; and
 * behind `?details` what whoever runs the study wants to know: frame, rollbacks, each link's way and round trip.
 *
 * It shows what `hud()` says, five times a second, and touches the page only where something changed. A stall
 * is shown when it has lasted a moment: single stalled ticks belong to the normal course of things.
 */

import { RETURNING } from './handed.js';
import { element, frames, keyMeaning, keySymbol, make, notice as showNotice, say, singleKeys } from './screens.js';
import { digitsOf, forDeveloper, hasText, number, text } from './texts.js';
import {
  catchingUp, gettingReady, hasLeft, isAway, isBack, listedName, playerName, standing, trouble, waitsForServer, withoutServer,
} from './words.js';

/** A stall shorter than this is nobody's business, s. */
const STALL_SHOWN_AFTER = 0.4;
/** Who came back, or has left, is told for so long, s. */
const CHANGE_SHOWN_FOR = 5;
/** Of so many players on (on a phone: one less), their chips are small, and say only what is wrong. */
const MANY = 4;

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
 * @property {boolean} [away] the server has lost their page, and keeps their seat
 * @property {boolean} [returning] their page was loaded again, and catches up
 * @property {boolean} [gone] nothing more comes of them
 * @property {boolean} [may_return] they are gone only as long as nothing is heard of them; the others play on meanwhile
 * @property {boolean} [opens] they came back, and play from a frame on that is still to come
 * @property {boolean} [failed] their page said that its environment failed
 * @property {'direct' | 'relay' | 'unknown'} [connection_type]
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
 * @property {[number, number] | null} [catching_up] of a page that comes back: frames that were stepped again, and all
 * @property {string} notice a word to the player, while it is to be shown
 * @property {string} [notice_code] the same as a name in the table of texts
 * @property {Outcome | null} [outcome] when all rounds are over, and somebody wins
 */

/** @typedef {{points: number[], first: number[], by: number}} Outcome points of all rounds by seat, who has most, and how many more */

/**
 * Points by seat, or null if the game has no points per player.
 *
 * @param {HudData} data
 * @returns {number[] | null}
 */
export function points({ score, rewards, players }) {
  const said = /** @type {any} */ (score ?? rewards);
  const gained = !said || typeof said !== 'object' || Array.isArray(said) ? said : players.map(({ id }) => said[String(id)] ?? 0);
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
  // A name and its points stay together.
  const each = data.players.map((_, seat) => `${listedName(data.players, seat)} ${number(gained[seat] ?? 0, digitsOf(gained))}`.replaceAll(' ', '\u00a0'));
  return each.join(' · ');
}

export class Hud {
  /** @type {Map<Element, string>} */ #shown = new Map();
  #shape = '';
  #stalledSince = NaN;
  #notice = '';
  #problem = '';
  /** @type {Record<string, string>} */ #standings = {};
  /** Players who are gone, by id, and what the study does then, once that is settled.
   * @type {Map<string, string | undefined>} */ #gone = new Map();
  /** Players whose page is `away` or `returning`, by id. @type {Map<string, string>} */ #absent = new Map();
  #change = { text: '', until: 0 };
  #server = { up: true, since: -Infinity };

  /**
   * @param {object} settings of the study
   * @param {number} [settings.fps]
   * @param {number} [settings.max_steps]
   */
  constructor({ fps = 30, max_steps: maxSteps = 0 }) {
    this.fps = fps;
    this.maxSteps = maxSteps;
    element('details').replaceChildren();
    element('details').hidden = !forDeveloper();
    element('hud-players').replaceChildren();
    this.banner(text('game.getting_ready'), text('start.loading'));
  }

  /** Where there is room for the shortest words alone. */
  #narrow = window.matchMedia('(max-width: 34rem), (max-height: 30rem)');

  /** @param {Element} target @param {string} what */
  #text(target, what) {
    if (this.#shown.get(target) === what) return;
    this.#shown.set(target, what);
    target.textContent = what;
  }

  /** Somebody is gone for good; `onDrop` is what the study does then, once that is settled. @param {unknown} player @param {string} [onDrop] */
  gone(player, onDrop) {
    this.#gone.set(String(player), onDrop);
  }

  /** Somebody's page is `away`, `returning`, `gone`, or there again. @param {unknown} player @param {string} how */
  presence(player, how) {
    if (how === 'away' || how === 'returning') this.#absent.set(String(player), how);
    else if (how === 'present') this.#absent.delete(String(player));
    else if (how === 'gone') this.gone(player);
  }

  /** The server is away, or there again. @param {boolean} up @param {number} now s */
  server(up, now) {
    if (up !== this.#server.up) this.#server = { up, since: now };
  }

  /** @param {HudData} given @param {number} now s */
  update(given, now) {
    const { up, since } = this.#server;
    const players = given.players.map((each) => {
      const absent = this.#absent.get(String(each.id));
      const gone = each.gone ?? this.#gone.has(String(each.id));
      return { ...each, gone, away: absent === 'away' && up && now - since > RETURNING.others_follow_s, returning: absent === 'returning' };
    });
    const data = { ...given, players };
    const over = ['done', 'failed'].includes(data.phase);
    if (!up && !over) showNotice(withoutServer(players));
    this.#players(data);
    this.#changes(data.players, now);
    const whole = typeof data.score === 'number' ? text('game.score', { score: data.score }) : '';
    this.#text(element('hud-score'), whole);
    this.#text(element('hud-round'), this.#round(data));
    this.#details(data);
    this.#notices(data, now);
  }

  /** @param {HudData} data */
  #round({ episode, num_episodes: episodes, frame, phase }) {
    // Between two rounds the banner says which one is over; the line keeps its place.
    if (phase.startsWith('between')) return '\u00a0';
    const name = this.#narrow.matches ? 'game.round_short' : 'game.round';
    const round = episodes > 1 ? text(name, { round: Math.min(episode + 1, episodes), rounds: episodes }) : '';
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
    const shape = players.map(({ id, you }) => `${id}${you}`).join() + String(this.#narrow.matches);
    if (shape !== this.#shape) {
      this.#shape = shape;
      const narrow = window.matchMedia('(max-width: 30rem)').matches;
      list.classList.toggle('many', players.length >= (narrow ? MANY - 1 : MANY));
      list.style.setProperty('--columns', String(Math.min(MANY, players.length)));
      list.replaceChildren(...players.map((player, seat) => {
        const item = make('li', player.you ? 'you' : '');
        const dot = make('span', 'dot');
        dot.style.background = player.color ?? `var(--seat-${seat % 8})`;
        dot.setAttribute('aria-hidden', 'true');
        item.append(dot, make('span', 'name', (this.#narrow.matches ? playerName : listedName)(players, seat)), make('span', 'points'));
        if (!player.you && !player.policy) item.append(make('span', 'badge'));
        return item;
      }));
    }
    const gained = points(data);
    players.forEach((player, seat) => {
      const item = list.children[seat];
      if (!item) return;
      const [, , score, badge] = item.children;
      if (score) this.#text(score, gained ? number(gained[seat] ?? 0) : '');
      if (!badge || player.you) return;
      const word = standing(player);
      const wrong = player.gone || player.interrupted || player.returning || player.opens;
      // How somebody is connected is the colour of that word alone.
      badge.className = `badge ${player.hidden ? '' : player.path ?? ''} ${wrong ? 'trouble' : ''}`;
      item.classList.toggle('gone', player.gone === true);
      item.classList.toggle('wrong', wrong === true);
      this.#text(badge, word);
    });
  }

  /** Who came back and who has left is told, and for a moment shown. @param {HudPlayer[]} players @param {number} now s */
  #changes(players, now) {
    players.forEach((player, seat) => {
      if (player.you || player.policy) return;
      const key = String(player.id);
      const onDrop = this.#gone.get(key);
      const settled = player.may_return ? 'for now' : onDrop ?? '';
      const absent = player.interrupted || player.returning || player.opens;
      const standingNow = player.gone ? `gone ${settled}` : absent ? 'interrupted' : 'here';
      const before = this.#standings[key] ?? 'here';
      this.#standings[key] = standingNow;
      if (before === standingNow) return;
      if (player.gone) this.#tell(player.may_return ? isAway(players, seat) : hasLeft(players, seat, onDrop), now);
      else if (before === 'interrupted') this.#tell(isBack(players, seat), now);
    });
  }

  /** @param {string} what @param {number} now s */
  #tell(what, now) {
    this.#change = { text: what, until: now + CHANGE_SHOWN_FOR };
    say(what);
  }

  /** @param {HudData} data */
  #details({ rollbacks, max_rollback_frames: deepest, frame, players }) {
    const list = element('details');
    if (list.hidden) return;
    const others = players.flatMap((player, seat) => (player.you || player.policy ? [] : [{ player, seat }]));
    /** @type {[string, string][]} */
    const values = [
      [text('details.frame'), String(frame)], [text('details.rollbacks'), String(rollbacks)], [text('details.longest'), frames(deepest)],
      ...others.map(({ player, seat }) => /** @type {[string, string]} */ ([
        playerName(players, seat),
        `${standing(player)}${typeof player.rtt_ms === 'number' && !player.gone ? `, ${Math.round(player.rtt_ms)} ms` : ''}`,
      ])),
    ];
    if (list.childElementCount !== values.length) {
      list.replaceChildren(...values.map(() => {
        const row = make('div');
        row.append(make('dt'), make('dd'));
        return row;
      }));
    }
    values.forEach(([name, value], index) => {
      const [term, definition] = list.children[index]?.children ?? [];
      if (term) this.#text(term, name);
      if (definition) this.#text(definition, value);
    });
  }

  /** @param {HudData} data @param {number} now s */
  #notices({ stalled, phase, players, notice: plain, notice_code: code, catching_up: catching }, now) {
    if (catching) this.banner(...catchingUp(...catching));
    else if (phase === 'playing' || phase === 'holding') this.banner('', '');
    else if (phase === 'connecting') this.#text(element('banner-text'), gettingReady(players));
    if (!stalled) this.#stalledSince = NaN;
    else if (Number.isNaN(this.#stalledSince)) this.#stalledSince = now;
    // Nobody's silence is told of while the notice says that the server is away.
    const known = !this.#server.up && waitsForServer(players);
    const problem = known ? '' : trouble(players, now - this.#stalledSince >= STALL_SHOWN_AFTER);
    const silent = players.some(({ interrupted, returning, gone }) => (interrupted || returning) && !gone);
    const change = now < this.#change.until ? this.#change.text : '';
    // A word to the own player is there for a few seconds only; the others come again.
    const notice = code && hasText(`notice.${code}`) ? text(`notice.${code}`) : plain;
    this.#pill(notice || (silent ? problem : change || problem) || this.#elsewhere(phase));
    if (notice !== this.#notice && notice) say(notice);
    // Whoever hears the page instead of seeing it wonders no less why nothing moves.
    if (problem && problem !== this.#problem) say(problem);
    // What stands there already would not be heard again.
    if (!problem && element('live').textContent === this.#problem) say('');
    this.#notice = notice;
    this.#problem = problem;
  }

  /**
   * Where to click, of a page whose keys go to another window or, where a survey shows it in a frame, to the survey: they
   * do nothing, and nothing else says why. Who touches buttons has the keys where they are.
   *
   * @param {string} phase
   */
  #elsewhere(phase) {
    const acts = (phase === 'playing' || phase === 'holding') && element('touch').hidden;
    return acts && !document.hasFocus() ? text('game.elsewhere') : '';
  }

  /** A line under the picture, which keeps its place without one, or '' to take it away. @param {string} what */
  #pill(what) {
    element('stall').classList.toggle('shown', what !== '');
    this.#text(element('stall'), what);
  }

  /** A message over the picture, or '' to take it away. @param {string} title @param {string} more */
  banner(title, more) {
    const banner = element('banner');
    banner.hidden = title === '';
    const isNew = title !== '' && this.#shown.get(element('banner-title')) !== title;
    this.#text(element('banner-title'), title);
    this.#text(element('banner-text'), more);
    // What only counts up is not told anew.
    if (isNew) say(`${title}. ${more}`);
  }
}

/**
 * Touch buttons for a mapping: directions on the left, the rest on the right.
 *
 * @param {import('./keys.js').Mapping} mapping
 * @param {Record<string, string>} [names] what the keys do, in the study's words
 * @returns {HTMLElement[]} the buttons, in the page
 */
export function makeTouchButtons(mapping, names = {}) {
  const left = make('div');
  const right = make('div');
  const buttons = singleKeys(mapping).map((key) => {
    const button = make('button', keySymbol(key).length > 2 ? 'word' : '', keySymbol(key));
    button.type = 'button';
    button.tabIndex = -1;
    button.dataset['key'] = key;
    button.setAttribute('aria-label', keyMeaning(key, names) || keySymbol(key));
    (['ArrowLeft', 'ArrowRight', 'a', 'd'].includes(key) ? left : right).append(button);
    return button;
  });
  const row = element('touch');
  row.replaceChildren(left, right);
  row.hidden = !window.matchMedia('(pointer: coarse)').matches;
  return buttons;
}
