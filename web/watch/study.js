// @ts-check
/** The study as a whole: who waits, what stores nothing, what was refused, what failed; and closing it. All of it is text. */

import { element, lasted, some } from './cards.js';
import { openStudy } from './server.js';

export class Study {
  #token;
  #told;
  #open = true;
  #waiting = 0;

  /** @param {string} token @param {(text: string) => void} told what went wrong */
  constructor(token, told) {
    this.#token = token;
    this.#told = told;
    element('study-toggle').addEventListener('click', () => this.#toggle());
  }

  async #toggle() {
    const sent = this.#waiting === 1 ? 'One person who waits is sent away.' : `${this.#waiting} people who wait are sent away.`;
    if (this.#open && this.#waiting > 0 && !window.confirm(`Close the study? ${sent}`)) return;
    const button = /** @type {HTMLButtonElement} */ (element('study-toggle'));
    button.disabled = true;
    try {
      this.show(await openStudy(!this.#open, this.#token));
    } catch (error) {
      this.#told(error instanceof Error ? error.message : String(error));
    } finally {
      button.disabled = false;
    }
  }

  /** @param {any} state as the server tells it */
  show(state) {
    this.#open = state.open;
    this.#waiting = state.waiting;
    element('study').hidden = false;
    element('running').hidden = false;
    element('study-toggle').textContent = state.open ? 'close the study' : 'open the study';
    const word = element('study-state');
    const ready = state.ready ? '' : ` The server is not ready: ${state.reasons.join('; ')}.`;
    const text = (state.open ? 'The study is open: who comes is let in.' : 'The study is closed: games go on, and nobody new is let in.') + ready;
    // A live region that is written anew is read anew.
    if (word.textContent !== text) word.textContent = text;
    word.className = state.ready ? (state.open ? 'good' : 'warn') : 'bad';
    const waits = state.waits.map((/** @type {any} */ each) => `${each.person ?? 'without an id'}: ${lasted(each.seconds)}`);
    if (state.waiting > waits.length) waits.push(`and ${state.waiting - waits.length} more`);
    fill('waits', waits, 'Nobody.');
    const without = state.without_data.map((/** @type {any} */ game) => `${game.environment || 'game'} ${game.game_id.slice(0, 8)}, `
      + `${lasted(game.seconds)}${game.over ? ', over' : ''}: nothing of ${some(game.players.length, 'player')} (${game.players.join(', ')})`);
    if (state.without_data_count > without.length) without.push(`and ${state.without_data_count - without.length} more`);
    fill('without', without, 'None.');
    fill('outcomes', Object.entries(state.outcomes).map(([outcome, count]) => `${outcome}: ${count}`), 'None since the server started.');
    fill('refusals', Object.entries(state.refusals).map(([code, count]) => `${code}: ${count}`), 'Nothing since the server started.');
    fill('failures', state.failures.map((/** @type {any} */ each) => `${new Date(each.time * 1000).toLocaleTimeString()} `
      + `${each.person ?? 'without an id'}, ${each.where}: ${each.code}: ${each.said.slice(0, 200)}`), 'None since the server started.');
  }
}

/** @param {string} id @param {string[]} texts @param {string} none */
function fill(id, texts, none) {
  const list = element(id);
  const wanted = texts.length > 0 ? texts : [none];
  list.className = texts.length > 0 ? '' : 'quiet';
  wanted.forEach((text, at) => {
    const item = list.children[at] ?? list.appendChild(document.createElement('li'));
    if (item.textContent !== text) item.textContent = text;
  });
  while (list.children.length > wanted.length) list.lastElementChild?.remove();
}
