// @ts-check
/**
 * The course of a visit: start screen, waiting room, game, end; or, of a page that was loaded again, back into its game.
 *
 * Server and Python move it from phase to phase; what is shown of each stands in screens.js, hud.js and ending.js.
 */

import { seconds } from '../core/bridge.js';
import { PageError, describe, guard } from '../core/errors.js';
import { PycoreGame } from '../core/game.js';
import { forgetSeat, keepSeat, keptSeat } from '../core/seat.js';
import { Asking, automatic, waits } from './asking.js';
import { Attention } from './attention.js';
import { Renderer } from './canvas.js';
import { Deposit } from './deposit.js';
import { ending, saveFile } from './ending.js';
import { Goodbye, settled } from './goodbye.js';
import { UNBEGUN } from './handed.js';
import { Hud, makeTouchButtons, pointsLine } from './hud.js';
import { DEFAULT_MAPPING, KeyState, listenToKeys } from './keys.js';
import { gameConfig } from './seating.js';
import { reload } from './leaving.js';
import * as screens from './screens.js';
import { page, plays, report, status, tellDifferences, tellServer } from './status.js';
import { text } from './texts.js';
import { noPicture, refusal, withoutConnection } from './words.js';

export class Visit {
  #attention = new Attention();
  /** @type {{event: string, data: any, arrival: number}[]} */ #early = [];
  /** @type {any} */ #seat = null;
  /** @type {any} */ #room = null;
  /** @type {PycoreGame | null} */ #game = null;
  /** @type {Renderer | null} */ #renderer = null;
  /** @type {Hud | null} */ #hud = null;
  #stopKeys = () => {};
  /** @type {Deposit | null} */ #deposit = null;
  #endReason = { code: 'complete', text: '', player: /** @type {unknown} */ (undefined), again: false };
  /** Everybody's points at the end of each episode. @type {string[]} */ #rounds = [];

  /**
   * @param {import('../core/loader.js').Loaded} loaded
   * @param {import('../core/socket.js').Socket} socket
   * @param {import('./storage.js').Outbox} outbox
   * @param {string} sessionId by which the server knows this page again
   * @param {import('./comeback.js').Comeback} comeback
   */
  constructor(loaded, socket, outbox, sessionId, comeback) {
    this.loaded = loaded;
    this.socket = socket;
    this.outbox = outbox;
    this.sessionId = sessionId;
    this.comeback = comeback;
    this.asking = new Asking(socket, sessionId, (phase) => this.#enter(phase));
    this.goodbye = new Goodbye(socket);
    this.mapping = loaded.manifest.action_mapping ?? DEFAULT_MAPPING;
    socket.onEvent((event, data, arrival) => this.#onEvent(event, data, arrival));
    socket.onState((state, reason) => this.#onSocket(state, reason));
  }

  /** @param {import('./status.js').PagePhase} phase */
  #enter(phase) {
    status.phase = phase;
    this.#attention.entered(phase);
  }

  // ------------------------------------------------------------------ before the game

  start() {
    this.onStored();
    if (this.socket.refusal) this.#onSocket('refused', this.socket.refusal); // while the game was loaded
    if (this.comeback.game !== null) {
      this.#enter('returning');
      return this.#comeBack();
    }
    this.#ready();
    return status.notBack === '' && automatic() ? this.join() : undefined;
  }

  /** The person may ask for a game. */
  #ready() {
    this.#enter('start');
    const play = screens.element('play');
    play.removeAttribute('disabled');
    play.textContent = text('start.play');
    screens.say(text('start.ready', { play: text('start.play') }));
  }

  /** Into the game in which this page was when it was loaded again; once more when the connection is back. */
  #comeBack() {
    if (!this.socket.connected) return screens.notice(text('server.connecting'));
    this.comeback.join(this.sessionId).then((kept) => {
      if (!kept && status.phase === 'returning') this.#notBack('over');
    }, (error) => report('visit.return', error));
    return undefined;
  }

  /** Another game may be asked for. @param {string} why */
  #notBack(why) {
    this.comeback.forget();
    status.notBack = why;
    screens.showStart('over');
    screens.show('start');
    this.#ready();
  }

  /** Ask for a game. @param {import('./asking.js').Wish} [wish] */
  join(wish = {}) {
    if (!['start', 'done'].includes(status.phase)) return;
    if (this.#game !== null && !wish.unbegun) this.goodbye.say();
    this.#release();
    this.#seat = this.#room = null;
    [this.#early, this.#rounds] = [[], []];
    this.#endReason = { code: 'complete', text: '', player: undefined, again: false };
    Object.assign(status, { stored: false, gone: {}, notBack: '', load: 0, outcome: null, error: null });
    screens.showNext(null);
    this.comeback.forget();
    screens.showStart('new');
    if (!this.asking.begin(wish)) screens.notice(text('server.connecting'));
  }

  /** Another game, once the others have what they need from us of this one, or do not fetch it. */
  async again() {
    const button = screens.element('again');
    button.setAttribute('disabled', '');
    try {
      await settled(this.#game);
    } finally {
      button.removeAttribute('disabled');
    }
    this.join();
  }

  /** Go on in this window, and not in the other one. */
  takeOver() {
    if (status.error?.code !== 'elsewhere') return;
    this.#enter('start');
    this.join({ take_over: true });
  }

  leave() {
    this.goodbye.say();
    this.#enter('start');
    screens.show('start');
  }

  /** @param {import('../core/socket.js').SocketState} state @param {string} reason */
  #onSocket(state, reason) {
    this.#hud?.server(state === 'connected', seconds());
    if (state === 'connected') {
      screens.notice('');
      this.goodbye.again();
      // In a game the seat comes back by the session id that the connection presents.
      if (waits()) this.asking.ask();
      if (status.phase === 'returning') this.#comeBack();
      this.outbox.kick();
    } else if (reason === 'io server disconnect' && waits()) {
      this.#stop(new PageError('server-closed', 'The server closed the connection.'));
    } else if (!plays() && (waits() || status.phase === 'returning' || state === 'refused')) {
      // Of a game that goes on, what that means is said there.
      screens.notice(withoutConnection(reason));
    }
  }

  /** @param {string} event @param {any} data @param {number} arrival */
  #onEvent(event, data, arrival) {
    if (this.#game === null && this.#seat !== null) this.#early.push({ event, data, arrival });
    switch (event) {
      case 'outcome':
        status.outcome = data;
        this.asking.heard(event, data);
        this.onStored();
        break;
      case 'pyodide_player_assigned':
        if (this.#game === null) this.#seat = data;
        break;
      case 'pyodide_game_ready':
        if (this.#game === null) this.#room = data;
        break;
      case 'start_game':
        if (this.#game === null && (waits() || status.phase === 'returning')) this.#play(data);
        break;
      case 'end_game':
        // Without a seat yet it is the end of the last game, whose other player left as we did.
        if (this.#game === null && this.#seat !== null && waits()) {
          this.#stop(new PageError('game-ended', String(data.message ?? 'The game ended before it began.')));
        }
        break;
      case 'pycore_error':
        this.#onRefusal(data);
        break;
      default:
        this.asking.heard(event, data);
    }
  }

  /** @param {{code?: string, message?: string, event?: string, again_ms?: number}} refused */
  #onRefusal(refused) {
    const { code = 'refused', message = 'The server refused something.', event = '' } = refused;
    if (this.asking.refused(refused)) return;
    const error = refusal(code, message);
    report(`server ${event}`, error);
    // What is refused of an earlier game ends no waiting.
    if ((waits() || status.phase === 'returning') && event === 'join_game' && code !== 'store_failed') this.#stop(error);
    else if (code === 'replaced' && this.#game !== null && status.phase !== 'done') this.#replaced(error);
  }

  /** Another window has the seat: what was recorded here is kept, and nothing more is said to anybody. @param {PageError} error */
  #replaced(error) {
    guard(report, 'visit.deposit', () => this.#deposit?.take())();
    this.#game?.halt();
    this.#stop(error);
  }

  // ------------------------------------------------------------------ the game

  /** @param {any} started */
  #play(started) {
    const room = this.#room;
    const seat = this.#seat;
    if (room === null || seat === null) throw new PageError('no-seat', 'the game was started before a seat was assigned');
    /** @type {Record<string, any>} */
    const settings = started.scene_metadata ?? room.scene_metadata ?? {};
    this.goodbye.heard();
    this.#enter('connecting');
    status.load = room.load ?? 0;
    if (room.return_within > 0) keepSeat({ session: this.sessionId, game: seat.game_id });
    else forgetSeat();
    screens.show('game');
    try {
      const hud = this.#hud = new Hud(settings);
      const keys = new KeyState(this.mapping, undefined, undefined, report);
      this.#stopKeys = listenToKeys(keys, makeTouchButtons(this.mapping, this.loaded.manifest.action_names), report);
      const { smooth_corrections: corrections, images, world } = this.loaded.manifest;
      this.#renderer = new Renderer(screens.element('canvas'), report, { corrections, images, world });
      const game = new PycoreGame({
        create: this.loaded.create,
        environment: this.loaded.makeEnvironment(),
        config: gameConfig(seat, room, settings, this.loaded.manifest, this.asking.since),
        socket: this.socket,
        readAction: (frame) => (page.pycoreReadAction ? page.pycoreReadAction(frame) : keys.read()),
        renderer: this.#renderer,
        report,
        onNews: (news) => this.#onNews(news, hud),
        onHud: (data) => this.#onHud(data, hud),
        onFailed: (error) => this.#onFailed(error),
        onParted: () => this.goodbye.say(),
        onOver: () => this.#finish(),
        undrawable: noPicture,
      });
      this.#game = page.pycoreGame = game;
      this.#deposit = new Deposit(game, this.outbox, this.sessionId, report);
      game.catchUp(this.#early);
      this.#early = [];
      game.start();
    } catch (error) {
      this.#onFailed(error);
      this.goodbye.say();
    }
  }

  /** @param {import('./hud.js').HudData} data @param {Hud} hud */
  #onHud(data, hud) {
    hud.update(data, seconds());
    if (status.phase === 'done' || status.phase === 'failed') return;
    if (data.phase === 'playing' || data.phase === 'holding') this.#enter('playing');
    else if (data.phase.startsWith('between')) this.#enter('between');
  }

  /** @param {import('../core/game.js').News} news @param {Hud} hud */
  #onNews(news, hud) {
    switch (news.news) {
      case 'log':
        console[news['level'] === 'error' ? 'error' : news['level'] === 'warning' ? 'warn' : 'info'](news['text']);
        break;
      case 'episode-end': {
        const data = this.#game?.hud();
        this.#deposit?.episode(news['episode']);
        if (!data) break;
        const line = pointsLine(data);
        this.#rounds[news['episode']] = line;
        if (news['episode'] + 1 < data.num_episodes) {
          hud.banner(text('game.round_over', { round: news['episode'] + 1, rounds: data.num_episodes }),
            [line, text('game.next')].filter(Boolean).join('\n'));
        }
        break;
      }
      case 'store':
        this.#deposit?.take();
        break;
      case 'done':
        this.#endReason = { code: String(news['reason']), text: String(news['text'] ?? ''), player: news['player'], again: news['again'] === true };
        break;
      case 'peer':
      case 'returned':
        hud.presence(news['player'], news['status'] ?? 'present');
        break;
      case 'gone':
        hud.gone(news['player'], String(news['on_drop']));
        status.gone[String(news['player'])] = /** @type {any} */ (news);
        break;
      case 'desync':
        report('desync', new PageError('desync', `the players' games differ from frame ${news['frame']} on`));
        break;
      case 'desync-report':
        this.#deposit?.differences();
        if (status.phase === 'failed') tellDifferences(this.socket, news);
        break;
      default:
        console.info('[pycore]', news);
    }
  }

  /** What is kept has changed, or may be of another game. */
  onStored() {
    const own = this.#deposit?.kept ?? { pending: 0, refused: [] };
    const { pending, refused } = this.outbox.state;
    Object.assign(status, { pending: own.pending, refused: own.refused.length, stored: this.#deposit?.stored ?? false });
    screens.showLeftover(pending - own.pending, refused.length - own.refused.length);
    if (['done', 'failed'].includes(status.phase)) screens.showStored(own, this.outbox.durable);
    // Nobody goes on before the data are there, unless they cannot be.
    screens.showNext(own.pending === own.refused.length ? status.outcome?.next ?? null : null);
  }

  // ------------------------------------------------------------------ the end

  #finish() {
    const game = this.#game;
    if (game === null || status.phase === 'done' || status.phase === 'failed') return;
    const { code, text: reason, player, again } = this.#endReason;
    // The others play on: another load of this page takes its seat again, where the tab could keep what leads back to it.
    if (again && keptSeat() !== null) return reload();
    const metrics = game.exportSessionMetrics();
    forgetSeat();
    if (code === 'no_return' && status.load > 0) {
      this.#stopKeys();
      this.#deposit?.session();
      return this.#notBack(reason || code);
    }
    if (UNBEGUN.includes(code) && metrics.frames.total === 0 && status.load === 0) {
      this.#enter('start');
      // The game is still at work: it is what told us.
      return void setTimeout(guard(report, 'visit.waiting', () => this.join({ unbegun: game.gameId })));
    }
    if (game.phase === 'failed' && metrics.frames.total === 0) {
      const error = new PageError(code, reason || 'The game could not begin.');
      tellServer(this.socket, 'begin', error);
      return this.#stop(error);
    }
    this.#enter('done');
    this.#stopKeys();
    this.#deposit?.session();
    screens.showEnd(ending(code, reason, game.hud(), this.#rounds, metrics, player));
    return this.onStored();
  }

  /** @param {unknown} error */
  #onFailed(error) {
    // Also what a failed session leaves is data; if even that cannot be had, the first failure is the one to show.
    guard(report, 'visit.deposit', () => this.#deposit?.session())();
    tellServer(this.socket, 'game', error);
    this.#stop(error);
  }

  /** @param {unknown} error */
  #stop(error) {
    this.#enter('failed');
    forgetSeat();
    this.#stopKeys();
    screens.notice('');
    const described = describe(error);
    status.error = { code: described.code, message: described.message, where: 'game' };
    screens.showError(described, this.#game !== null);
    this.onStored();
  }

  /** @param {'metrics' | 'records' | 'experienced'} what */
  save(what) {
    if (this.#game !== null) saveFile(this.#game, what, this.#deposit?.experiencedRecord ?? '');
  }

  /** The person goes away, or loads the page again: who may come back to a game does not leave it. */
  depart() {
    guard(report, 'visit.deposit', () => (this.#deposit ?? this.outbox).depart())();
    if (!['done', 'over', 'start', 'returning'].includes(status.phase)) this.comeback.depart();
  }

  #release() {
    this.#stopKeys();
    this.#stopKeys = () => {};
    this.#game?.close();
    this.#renderer?.close();
    this.outbox.hold(null);
    this.#game = this.#renderer = this.#hud = this.#deposit = null;
    delete page.pycoreGame;
  }
}
