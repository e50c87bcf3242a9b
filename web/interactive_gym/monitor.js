// @ts-check
/**
 * The monitor of ping and visibility that the page of 0.1.3 has, asked as often as its own module asks it.
 *
 * What it finds is the page's and the study's to say; what follows from it is Python's.
 */

import { get } from '../core/fetching.js';
import { MONITOR } from './handed.js';

const page = /** @type {any} */ (window);

/**
 * @typedef {object} Watched
 * @property {Record<string, any>} config the scene's metadata
 * @property {string | undefined} [sceneId]
 * @property {number} frameNumber
 * @property {number} num_episodes
 */

/** @typedef {(what: 'warn' | 'exclude', ...details: string[]) => void} Tell */

export class Monitor {
  #monitor;
  #watched;
  #host;
  #tell;

  /**
   * @param {import('../../continuous_monitor.js').ContinuousMonitor} monitor the page's
   * @param {Watched} watched
   * @param {import('./host.js').Host} host
   * @param {Tell} tell
   */
  constructor(monitor, watched, host, tell) {
    this.#monitor = monitor;
    this.#watched = watched;
    this.#host = host;
    this.#tell = tell;
  }

  /** @param {unknown} result of the study's own callback, from the server */
  answer(result) {
    this.#monitor.setCallbackPending(false);
    this.#monitor.setCallbackResult(result);
  }

  pause() {
    this.#monitor.pause();
  }

  /** Look, once per stepped frame. */
  look() {
    const monitor = this.#monitor;
    const { frameNumber, num_episodes: episode, sceneId } = this.#watched;
    if (monitor.shouldExecuteCallback()) {
      monitor.setCallbackPending(true);
      this.#host.emit('execute_continuous_callback', {
        session_id: page.sessionId,
        scene_id: sceneId,
        context: {
          ping: page.currentPing || 0,
          is_tab_hidden: document.hidden,
          tab_hidden_duration_ms: monitor.tabHiddenAt ? Date.now() - monitor.tabHiddenAt : 0,
          frame_number: frameNumber,
          episode_number: episode,
        },
      }, true);
    }
    if (frameNumber % MONITOR.every_frames !== 0) return;
    if (page.currentPing !== undefined) monitor.recordPing(page.currentPing);
    const { exclude, warn, reason, message } = monitor.check();
    if (exclude) {
      monitor.pause();
      this.#tell('exclude', reason ?? '', message ?? '');
    } else if (warn) this.#tell('warn', message ?? '');
  }
}

/**
 * The page's monitor, if the study wants it.
 *
 * @param {Watched} watched
 * @param {import('./host.js').Host} host
 * @param {Tell} tell
 * @returns {Promise<Monitor | null>}
 */
export async function createMonitor(watched, host, tell) {
  if (!watched.config['continuous_monitoring_enabled']) return null;
  // An import has no patience, and others wait for this page; what was fetched is there for it.
  await get(new URL('../../continuous_monitor.js', import.meta.url).href, "the page's monitor");
  const { ContinuousMonitor } = await import('../../continuous_monitor.js');
  return new Monitor(new ContinuousMonitor(watched.config), watched, host, tell);
}
