// @ts-check
/**
 * One game as a spectator sees it: rows that the server has, stepped again in this page, and drawn as they were.
 *
 * It asks the server now and then for more. Of a game that goes on it plays the newest episode at the game's own speed,
 * faster where it lags behind; whatever is past is stepped at once, and played, or looked at by the slider. What is shown
 * is confirmed, and older than `store_every`; whoever plays never hears of it.
 */

import { WATCHING } from './handed.js';
import { Picture } from './picture.js';
import { ask } from './server.js';
import { takingTurns } from './turns.js';

/** @typedef {{episode: number, gap: number[] | null, header: string | null, episodes: number, in_parts: boolean, running: boolean}} Found */

/** @param {Found} found @returns {string} why nothing of an episode is to be seen */
function nothingOf(found) {
  if (found.in_parts) {
    return 'Pages of an earlier version stored this game whole, which is not shown here; "pycore data" writes it into files.';
  }
  if (found.gap !== null) return `Of episode ${found.episode + 1} the first frames were never stored.`;
  if (found.running) return 'Waiting for rows…';
  return found.episodes === 0 ? 'Nothing of this game was stored.' : `Nothing of episode ${found.episode + 1} was stored.`;
}

export class Spectator {
  #python;
  #picture;
  #view;
  #word;
  #gameId;
  #endTurns;
  /** @type {(running: boolean) => void} */ #told;
  #asking = false;
  #asked = 0;
  #refused = false;
  #closed = false;
  #begun = false;
  #episode = 0;
  #fps = 30;
  #late = 0;
  /** Whether the game goes on; nothing is known of it before the first answer. */
  #running = /** @type {boolean | null} */ (null);
  /** Episodes that there are. */
  #episodes = 0;
  /** Frames that there are at the server, that came, that were stepped, and that is shown: 0 is the newest. */
  #thereAre = 0;
  #came = 0;
  #stepped = 0;
  #shown = 0;
  #playing = true;
  #drawn = '';
  #complete = false;
  #endStepped = false;
  #gap = /** @type {number[] | null} */ (null);
  /** What was taken back and is known. @type {Set<string>} */ #revisions = new Set();
  /** Frames that are due: of those that came to be stepped, of those that were stepped to be shown. */
  #owed = 0;
  #due = 0;
  #then = 0;
  /** Whether it was stepped anew because something was not true. */
  #doubted = false;
  /** Why nothing more is shown. */ #why = '';
  /** Why the frame that is shown has no picture. */ #undrawn = '';

  /**
   * @param {any} loaded what the page's loader gave
   * @param {HTMLElement} root the card's view
   * @param {string} gameId
   * @param {string} word the key of the game
   * @param {(running: boolean) => void} [told] is told whether the game goes on, whenever that is another answer
   */
  constructor(loaded, root, gameId, word, told = () => {}) {
    const module = loaded.pyodide.pyimport('pycore.bridge.spectator');
    this.environment = loaded.makeEnvironment();
    this.#python = module.create(this.environment);
    module.destroy();
    this.#gameId = gameId;
    this.#word = word;
    this.#told = told;
    this.#view = new AbortController();
    this.#picture = new Picture(root, this.#view.signal, {
      look: (frame) => this.#look(frame), live: () => this.#live(), play: () => this.#toggle(),
      choose: (episode) => this.#choose(episode),
    }, loaded.manifest);
    this.#picture.say('Waiting for rows…');
    this.#then = performance.now();
    this.#endTurns = takingTurns((now, until) => this.#turn(now, until));
    this.#ask();
  }

  /** What it has, for tests. */
  get state() {
    return {
      episode: this.#episode, episodes: this.#episodes, running: this.#running, came: this.#came, stepped: this.#stepped,
      shown: this.#shown || this.#stepped, playing: this.#playing, complete: this.#complete, why: this.#why,
      ...(this.#begun ? JSON.parse(this.#python.state(this.#shown || this.#stepped)) : {}),
    };
  }

  /** Whether it shows the newest episode of a game that goes on: that one keeps the game's time. */
  get #newest() {
    return this.#running === true && this.#episode >= this.#episodes - 1;
  }

  /** Whether there is nothing more of this episode to come. */
  get #over() {
    return this.#came >= this.#thereAre && (this.#complete || !this.#newest);
  }

  async #ask() {
    if (this.#asking || this.#closed) return;
    this.#asking = true;
    const [episode, from] = [this.#episode, this.#came];
    try {
      const found = await ask(`/${encodeURIComponent(this.#gameId)}?episode=${episode}&from=${from}`, this.#word);
      this.#refused = false;
      // Another episode may have been chosen meanwhile.
      if (!this.#closed && episode === this.#episode && from === this.#came) this.#take(found);
    } catch (error) {
      this.#refused = true;
      if (!this.#closed) this.#picture.say(String(error instanceof Error ? error.message : error));
    } finally {
      this.#asking = false;
    }
  }

  /** @param {any} found */
  #take(found) {
    const first = this.#running === null;
    this.#late = found.late_s;
    this.#fps = found.settings.fps ?? 30;
    if (this.#running !== found.running) this.#told(found.running);
    this.#running = found.running;
    this.#episodes = found.episodes;
    this.#thereAre = found.there_are;
    this.#gap = found.gap;
    this.#picture.episodes(this.#episode, found.episodes, found.running);
    if (first && found.running && found.episodes > 1) {
      // Who comes late begins with the newest episode.
      this.#anew(found.episodes - 1, 0);
      return;
    }
    // What is over is played from its beginning.
    if (first && !found.running) this.#shown = 1;
    if (!this.#begun) {
      if (found.header === null) {
        this.#picture.say(nothingOf(found));
        return;
      }
      try {
        this.#python.begin(JSON.stringify(found.settings), found.header, this.#episode);
      } catch (error) {
        this.#stop(`This game is none of this environment's: ${error instanceof Error ? error.message : error}`);
        return;
      }
      this.#begun = true;
      // What is there already is the past: it is stepped at once, and the slider leads to it.
      this.#owed = found.there_are;
    }
    if (this.#tookBack(found.revisions) || found.there_are < this.#came) {
      this.#anew(this.#episode, this.#shown);
      return;
    }
    if (found.rows && !(this.#complete && found.to === this.#came)) this.#python.feed(found.rows);
    this.#came = found.to;
    this.#complete ||= found.complete;
  }

  /** @param {[number, number][]} revisions @returns {boolean} whether some of the rows that came are void */
  #tookBack(revisions) {
    let some = false;
    for (const [revision, base] of revisions) {
      const name = `${revision} ${base}`;
      some ||= !this.#revisions.has(name) && base < this.#came;
      this.#revisions.add(name);
    }
    return some;
  }

  /** @param {number} episode to step from its first frame on @param {number} shown what is shown of it */
  #anew(episode, shown) {
    if (episode !== this.#episode) {
      this.#revisions.clear();
      this.#doubted = false;
    }
    this.#episode = episode;
    this.#begun = this.#complete = this.#endStepped = false;
    this.#thereAre = this.#came = this.#stepped = this.#owed = this.#due = 0;
    this.#asked = -Infinity;
    this.#gap = null;
    this.#shown = shown;
    this.#drawn = this.#why = '';
    this.#picture.bad(false);
    this.#picture.episodes(episode, this.#episodes, this.#running === true);
  }

  /** @param {number} now @param {number} until */
  #turn(now, until) {
    const passed = (now - this.#then) / 1000;
    this.#then = now;
    this.#askAgain(now);
    if (!this.#begun || this.#why) return;
    try {
      this.#play(passed, until);
      this.#move(passed);
      if (this.#begun) this.#draw();
    } catch (error) {
      this.#doubt(`The rows cannot be stepped here: ${error instanceof Error ? error.message : error}`);
    }
  }

  /**
   * Something is not true: it may be that the rows before were those of a player who went, behind the frame that the
   * others agreed on. So the episode is stepped once more, from the rows that there are now.
   *
   * @param {string} why
   */
  #doubt(why) {
    if (this.#doubted) {
      this.#stop(why);
      return;
    }
    this.#anew(this.#episode, this.#shown);
    this.#doubted = true;
  }

  /** @param {number} now */
  #askAgain(now) {
    if (this.#why || this.#asking) return;
    const waiting = this.#came - this.#stepped;
    const lacks = this.#came < this.#thereAre && waiting < WATCHING.rows_ahead;
    const every = this.#complete && !this.#newest ? WATCHING.over_every_ms : WATCHING.ask_every_ms;
    if (now - this.#asked < (lacks && !this.#refused ? 0 : every)) return;
    this.#asked = now;
    this.#ask();
  }

  /** @param {number} passed seconds @param {number} until */
  #play(passed, until) {
    const waiting = this.#came - this.#stepped;
    // A store's worth waits when the next one comes; what is beyond is caught up with.
    this.#owed += passed * this.#fps + Math.max(0, Math.ceil((waiting - 2 * this.#late * this.#fps) / 10));
    const goal = this.#stepped + Math.min(Math.floor(this.#owed), waiting);
    while (this.#stepped < goal && performance.now() < until) {
      const before = this.#stepped;
      this.#stepped = this.#python.step(Math.min(goal - before, 10));
      this.#owed -= this.#stepped - before;
      if (this.#stepped === before) break;
    }
    // What was not there when it was due is not made good by a rush.
    this.#owed = Math.min(this.#owed, Math.max(this.#came, this.#thereAre) - this.#stepped + 1);
    if (this.#complete && this.#stepped >= this.#came && !this.#endStepped) {
      this.#endStepped = true;
      this.#python.step(1);
      this.#drawn = this.#drawn && `${this.#drawn} `;  // one more hash was compared
    }
  }

  /** What is shown goes on. @param {number} passed seconds */
  #move(passed) {
    const further = this.#over && this.#episodes > this.#episode + 1;
    if (this.#shown === 0) {
      if (!this.#over || this.#stepped < this.#came) return;
      if (further) this.#anew(this.#episode + 1, 0);
      else if (!this.#running) [this.#shown, this.#playing] = [Math.max(1, this.#stepped), false];
      return;
    }
    if (!this.#playing) return;
    this.#due = Math.min(this.#due + passed * this.#fps, this.#fps / 2);
    const frames = Math.floor(this.#due);
    this.#due -= frames;
    if (this.#shown + frames < this.#stepped) {
      this.#shown += frames;
    } else if (this.#stepped < this.#came || !this.#over) {
      // Behind what is caught up with still, there is more to play.
      this.#shown = this.#newest && this.#owed < this.#fps ? 0 : Math.max(1, this.#stepped);
    } else if (this.#shown < this.#stepped) {
      this.#shown = this.#stepped;
    } else if (further && this.#complete) {
      this.#anew(this.#episode + 1, this.#running && this.#episode + 2 >= this.#episodes ? 0 : 1);
    } else {
      this.#playing = false;
    }
  }

  /** @param {number} frame */
  #look(frame) {
    const newest = frame >= this.#stepped && this.#newest;
    this.#shown = newest ? 0 : Math.max(1, Math.min(frame, this.#stepped));
    this.#playing = newest;
  }

  #live() {
    if (this.#running !== true) return;
    this.#playing = true;
    if (this.#newest) this.#shown = 0;
    else this.#anew(this.#episodes - 1, 0);
  }

  #toggle() {
    this.#playing = !this.#playing;
    this.#due = 0;
    if (!this.#playing) this.#shown ||= Math.max(1, this.#stepped);
    // Once more from the beginning.
    else if (this.#over && this.#shown >= this.#stepped) this.#shown = 1;
  }

  /** @param {number} episode */
  #choose(episode) {
    const chosen = Math.max(0, Math.min(episode, this.#episodes - 1));
    this.#playing = true;
    this.#anew(chosen, 1);
    this.#picture.say('Waiting for rows…');
  }

  #draw() {
    const frame = this.#shown || this.#stepped;
    this.#picture.plays(this.#playing, this.#shown === 0);
    const place = `${this.#episode} ${frame} ${this.#stepped}`;
    // Of an episode that is stepped anew, it waits for the frame that was shown.
    if (frame < 1 || frame > this.#stepped || place === this.#drawn) return;
    const moved = !this.#drawn.startsWith(`${this.#episode} ${frame} `);
    this.#drawn = place;
    const state = JSON.parse(this.#python.state(frame));
    if (state.difference !== null) {
      this.#doubt(`What this page computes is not what was recorded: ${state.difference}`);
      return;
    }
    this.#picture.place(this.#episode, frame, this.#stepped);
    if (moved) this.#undrawn = this.#picture.draw(this.#python, frame);
    const totals = Object.entries(state.totals).map(([player, total]) => `${player}: ${typeof total === 'number' ? Math.round(total * 100) / 100 : total ?? '–'}`);
    const gone = Object.entries(state.gone).map(([player, plays]) => `${player} (${plays === 'policy' ? 'a policy plays' : 'default action'})`);
    this.#picture.say([
      `${this.#running ? `Confirmed, ${this.#late} s late or more` : 'As it was recorded'}; ${state.hashes} hashes compared`,
      totals.length > 0 ? `points ${totals.join(', ')}` : '',
      gone.length > 0 ? `gone: ${gone.join(', ')}` : '',
      this.#gap !== null ? `frames ${this.#gap[0]} to ${Number(this.#gap[1]) - 1} were never stored, it cannot be shown further` : '',
      this.#undrawn && `the picture cannot be drawn: ${this.#undrawn}`,
    ].filter(Boolean).join(' · '));
  }

  /** @param {string} why */
  #stop(why) {
    this.#why = why;
    this.#picture.bad(true);
    this.#picture.say(why);
  }

  /** Give everything back. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#endTurns();
    this.#view.abort();
    this.#picture.close();
    this.#python.destroy();
    this.environment.destroy?.();
  }
}
