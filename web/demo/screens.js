// @ts-check
/**
 * What the participant sees outside the game: start, waiting room, end and errors, one screen at a time.
 *
 * A change of screen moves the focus to its heading, so that a screen reader follows; what changes within a
 * screen is said through one polite live region.
 */

import { STEPS } from '../core/loader.js';
import { isGamepad } from './gamepad.js';
import { keysOf } from './keys.js';
import { forDeveloper, hasText, percent, text } from './texts.js';
import { failed, waiting } from './words.js';

/** @typedef {'start' | 'waiting' | 'game' | 'end' | 'over' | 'error'} ScreenName */

/**
 * An element that index.html must have.
 *
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no element #${id}`);
  return /** @type {T} */ (found);
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, className = '', text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** @param {ScreenName} name */
export function show(name) {
  // What was said of the last screen may not be true of this one.
  notice('');
  for (const section of document.querySelectorAll('main > section')) {
    /** @type {HTMLElement} */ (section).hidden = section.id !== `screen-${name}`;
  }
  document.body.dataset['screen'] = name;
  document.querySelector(`#screen-${name} h1`)?.scrollIntoView({ block: 'nearest' });
  /** @type {HTMLElement | null} */ (document.querySelector(`#screen-${name} h1`))?.focus({ preventScroll: true });
}

/** A number of frames in words. @param {number} count */
export const frames = (count) => text('details.frames', { count });

/** Say something to a screen reader. @param {string} what */
export function say(what) {
  const live = element('live');
  if (live.textContent !== what) live.textContent = what;
}

/** Show a connection problem above everything, or take it away with ''. @param {string} what */
export function notice(what) {
  const line = element('notice');
  line.hidden = what === '';
  if (line.textContent !== what) line.textContent = what;
}

// ------------------------------------------------------------------ start

/** What the study says on the first screen. */
const texts = { title: '', intro: '' };

/** @param {string | undefined} title @param {string | undefined} intro of the study */
export function setTexts(title, intro) {
  texts.title = title || texts.title;
  texts.intro = intro || texts.intro;
  if (title) document.title = title;
  showStart(/** @type {any} */ (element('screen-start').dataset['for']) ?? 'new');
}

/**
 * The first screen: of somebody who comes, who comes back to a game, or who finds it over.
 *
 * @param {'new' | 'returning' | 'over'} whom
 */
export function showStart(whom) {
  texts.title ||= element('start-title').textContent ?? '';
  texts.intro ||= element('start-intro').textContent ?? '';
  const title = whom === 'returning' ? text('back.title') : texts.title;
  const intro = whom === 'new' ? texts.intro : text(whom === 'returning' ? 'back.intro' : 'back.over');
  element('screen-start').dataset['for'] = whom;
  element('start-title').textContent = title;
  element('start-intro').textContent = intro;
  // There is nothing to press: the game goes on by itself.
  element('play').hidden = whom === 'returning';
  if (whom !== 'new') say(`${title}. ${intro}`);
}

/** Where the bar stands at the beginning of each step, %; Python is nearly all of the bytes. */
const STEP_START = { manifest: 0, python: 3, core: 80, packages: 84, game: 94, ready: 100 };

/** @param {import('../core/loader.js').Progress} progress */
export function showProgress({ step, fraction, bytes, what = '' }) {
  const index = STEPS.indexOf(step);
  const next = STEPS[index + 1];
  const from = STEP_START[step];
  const to = next ? STEP_START[next] : 100;
  const percentage = Math.round(from + (to - from) * (fraction ?? 0));
  const loaded = bytes > 0 ? `${(bytes / 1e6).toFixed(1)} MB` : what;
  const said = forDeveloper()
    ? text('step.loading', { what: [text(`step.${step}`), loaded].filter(Boolean).join(', ') })
    : text('start.progress', { percent: percent(percentage / 100) });
  const bar = element('load-bar');
  bar.setAttribute('aria-valuenow', String(percentage));
  bar.setAttribute('aria-valuetext', said);
  /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${percentage}%`;
  for (const item of /** @type {NodeListOf<HTMLElement>} */ (element('load-steps').querySelectorAll('li'))) {
    const place = STEPS.indexOf(/** @type {any} */ (item.dataset['step']));
    item.classList.toggle('done', place < index || step === 'ready');
    // A game without packages has no such step.
    if (place === index) item.hidden = false;
    if (place === index && step !== 'ready') item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  }
  if (step !== 'ready') element('play').textContent = said;
}

/** @type {Record<string, string>} */
const KEY_SYMBOLS = { ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓' };

/** @param {string} key */
export function keySymbol(key) {
  return KEY_SYMBOLS[key] ?? (key === ' ' ? text('key.space') : key.length === 1 ? key.toUpperCase() : key);
}

/** What a key does: in the study's words, or else where its arrow points; '' for another one. @param {string} key @param {Record<string, string>} names */
export function keyMeaning(key, names) {
  const name = Object.keys(names).find((each) => keysOf(each)[0] === key);
  return (name === undefined ? undefined : names[name]) ?? (hasText(`key.${key}`) ? text(`key.${key}`) : '');
}

/**
 * The single keys of a mapping: what is shown as help and as touch buttons. A gamepad says itself where its buttons are.
 *
 * @param {import('./keys.js').Mapping} mapping
 */
export function singleKeys(mapping) {
  return [...new Set(Object.keys(mapping).flatMap(keysOf))].filter((key) => !isGamepad(key));
}

/** @param {import('./keys.js').Mapping} mapping @param {Record<string, string>} [names] what they do */
export function showKeys(mapping, names = {}) {
  element('start-keys').replaceChildren(...singleKeys(mapping).map((key) => {
    const hint = make('span');
    hint.append(make('kbd', '', keySymbol(key)), keyMeaning(key, names));
    return hint;
  }));
}

/** Offer what is left of earlier sessions. @param {number} count @param {number} refused as many of them the server does not take */
export function showLeftover(count, refused) {
  element('start-leftover').hidden = count <= 0;
  element('start-leftover-text').textContent = text(refused < count ? 'start.leftover' : 'start.leftover_refused');
}

// ------------------------------------------------------------------ waiting room

/** @param {{cur_num_players?: number, players_needed?: number, ms_remaining?: number | null, note?: string}} room */
export function showWaiting({ cur_num_players: here = 1, players_needed: missing = 1, ms_remaining: ms = null, note = '' }) {
  const { title, text: said } = waiting(here, missing);
  element('waiting-title').textContent = title;
  element('waiting-count').textContent = said;
  const line = element('waiting-note');
  line.hidden = !hasText(`waiting.${note}`);
  if (!line.hidden) line.textContent = text(`waiting.${note}`);
  element('waiting-seats').replaceChildren(...Array.from({ length: here + missing }, (_, seat) => {
    const dot = make('span', seat < here ? 'here' : 'missing');
    dot.style.setProperty('--seat', `var(--seat-${seat % 8})`);
    return dot;
  }));
  showTimeLeft('waiting.time', ms);
}

/** @param {string} name of the text @param {number | null} ms */
export function showTimeLeft(name, ms) {
  const seconds = ms === null ? 0 : Math.ceil(ms / 1000);
  const rest = seconds % 60;
  element('waiting-time').textContent = seconds > 0
    ? text(name, { time: `${Math.floor(seconds / 60)}:${String(rest).padStart(2, '0')}` })
    : '';
}

/**
 * Whether the person who waits is there: it is asked, was answered, or nobody asks.
 *
 * @param {'asked' | 'answered' | null} how
 */
export function showReady(how) {
  const button = /** @type {HTMLButtonElement} */ (element('ready'));
  button.hidden = how !== 'asked';
  element('cancel').hidden = how !== null;
  if (how === null) return;
  const [title, said] = [text(`ready.${how}`), text(`ready.${how}_text`)];
  element('waiting-title').textContent = title;
  element('waiting-count').textContent = said;
  element('waiting-note').hidden = true;
  say(`${title}. ${said}`);
  if (how === 'asked') button.focus();
}

// ------------------------------------------------------------------ end

/**
 * Name, value pairs of the summary table.
 *
 * @param {any} metrics `exportSessionMetrics()`
 * @returns {[string, string][]}
 */
export function summaryRows(metrics) {
  const { connection, inputs, rollbacks, quality, sync } = metrics;
  const type = `summary.${connection.type}`;
  /** @type {[string, string][]} */
  const rows = [
    ['connection', hasText(type) ? text(type) : String(connection.type)],
    ['frames', String(metrics.frames.total)],
    ['sent', `${inputs.sentViaP2P} / ${inputs.sentViaSocketIO}`],
    ['received', `${inputs.receivedViaP2P} / ${inputs.receivedViaSocketIO}`],
    ['late', String(rollbacks.count)],
    ['longest', frames(rollbacks.maxFrames)],
    ['fallback', quality.p2pFallbackTriggered ? text('summary.fallback_at', { frame: String(quality.p2pFallbackFrame) }) : text('summary.never')],
    ['differed', String(sync.p2pHashMismatches?.length ?? sync.p2pHashMismatches)],
  ];
  return rows.map(([name, value]) => [text(`summary.${name}`), value]);
}

/** @param {[string, string][]} rows */
function tableBody(rows) {
  const body = make('tbody');
  for (const [name, value] of rows) {
    const row = make('tr');
    const head = make('th', '', name);
    head.scope = 'row';
    row.append(head, make('td', '', value));
    body.append(row);
  }
  return body;
}

/**
 * @typedef {object} End
 * @property {string} lead
 * @property {string} outcome who won, or ''
 * @property {[string, string][]} tiles label and value
 * @property {[string, string][]} rounds name and points
 * @property {[string, string][]} rows name and value
 */

/** @param {End} end */
export function showEnd({ lead, outcome, tiles, rounds, rows }) {
  element('end-lead').textContent = lead;
  element('end-outcome').textContent = outcome;
  element('end-outcome').hidden = outcome === '';
  element('end-scores').replaceChildren(...tiles.map(([label, value]) => {
    const tile = make('div');
    tile.append(make('b', '', value), make('span', '', label));
    return tile;
  }));
  element('end-rounds').replaceChildren(tableBody(rounds));
  element('end-table').replaceChildren(tableBody(rows));
  show('end');
}

/**
 * Whether the data is safe, of a game that came to its end and of one that could not go on.
 *
 * @param {import('./storage.js').Kept} kept
 * @param {boolean} durable
 */
export function showStored({ pending, refused }, durable) {
  const count = refused.length;
  const on = text(durable ? 'store.kept' : 'store.open');
  const why = forDeveloper() ? text('store.refused_why', { count, why: refused[0] ?? '' }) : text('store.refused');
  const said = pending === 0 ? text('store.stored') : count > 0 ? why : on;
  for (const line of [element('end-stored'), element('error-stored')]) {
    line.className = `store ${pending === 0 ? 'stored' : count > 0 ? 'late' : ''}`;
    if (line.textContent !== said) line.textContent = said;
  }
  for (const id of ['save-unsent', 'error-unsent']) element(id).hidden = count === 0;
}

// ------------------------------------------------------------------ where to go then

/**
 * Offer the address to which the study sends this person, on every screen that may be the last one.
 *
 * @param {string | null} address null: none
 */
export function showNext(address) {
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll('.next'))) {
    link.hidden = address === null;
    if (address === null) link.removeAttribute('href');
    else link.href = address;
  }
  // Who is sent on gets no other game.
  for (const id of ['again', 'error-retry']) element(id).hidden = address !== null;
}

/** The screen of somebody whose visit is over. @param {string} outcome */
export function showOver(outcome) {
  const name = `over.${outcome}`;
  element('over-lead').textContent = text(hasText(name) ? name : 'over.completed');
  show('over');
}

// ------------------------------------------------------------------ errors

/**
 * @param {{code: string, message: string, advice: string, details: string}} error
 * @param {boolean} canSave
 */
export function showError(error, canSave) {
  const { message, advice, details } = failed(error);
  element('error-message').textContent = message;
  element('error-advice').textContent = advice;
  element('error-code').textContent = error.code;
  for (const id of ['error-save', 'error-stored']) element(id).hidden = !canSave;
  element('error-here').hidden = error.code !== 'elsewhere';
  const more = element('error-details');
  more.hidden = details === '';
  /** @type {HTMLElement} */ (more.querySelector('pre')).textContent = details;
  show('error');
}

/**
 * Give the person a file.
 *
 * @param {string} name
 * @param {string} text
 * @param {string} type
 */
export function download(name, text, type) {
  const link = make('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
