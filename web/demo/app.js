// @ts-check
/**
 * The page's beginning: load everything, wire up the buttons, and let the visit begin (visit.js).
 *
 * This page is one embedding of the core among others; everything that another page needs is in core/. `?autojoin=1`
 * joins without a click. What tests and rehearsals find at the window stands in status.js.
 */

import { describe, guard } from '../core/errors.js';
import { load } from '../core/loader.js';
import { connectSocket } from '../core/socket.js';
import { DEFAULT_MAPPING } from './keys.js';
import * as screens from './screens.js';
import { page, report, status, tellServer } from './status.js';
import { Outbox } from './storage.js';
import { Visit } from './visit.js';

/**
 * The secret by which the server knows this page again after an interruption. It is made anew at every load: a
 * copied tab would otherwise take the seat of the first.
 */
const sessionId = [...crypto.getRandomValues(new Uint8Array(18))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** @param {string} id @param {() => unknown} action */
function onClick(id, action) {
  screens.element(id).addEventListener('click', guard(report, `click ${id}`, action));
}

/** @type {import('../core/socket.js').Socket | null} */
let socket = null;

async function main() {
  onClick('error-retry', () => location.reload());
  screens.showKeys(DEFAULT_MAPPING);
  const connected = socket = await connectSocket(new URL('../vendor/socket.io.esm.min.js', import.meta.url).href, sessionId, report);
  /** @type {Visit | null} */
  let visit = null;
  const outbox = await Outbox.open((event, data) => connected.request(event, data), report, (state) => visit?.onStored(state));
  const loaded = await load(screens.showProgress, (message) => console.warn(`[pycore] ${message}`));
  page.pycoreLoaded = loaded;
  const { title, intro, action_mapping: mapping } = loaded.manifest;
  if (title) document.title = screens.element('start-title').textContent = title;
  if (intro) screens.element('start-intro').textContent = intro;
  if (mapping) screens.showKeys(mapping);

  visit = new Visit(loaded, connected, outbox, sessionId);
  const running = visit;
  onClick('play', () => running.join());
  onClick('again', () => running.again());
  onClick('cancel', () => running.leave());
  onClick('save-metrics', () => running.save('metrics'));
  onClick('save-records', () => running.save('records'));
  onClick('error-save', () => running.save('records'));
  onClick('leftover-save', () => running.saveLeftover());
  onClick('leftover-discard', () => outbox.discard());
  window.addEventListener('pagehide', guard(report, 'pagehide', () => running.depart()));
  // A page that comes back from the browser's cache has lost its connections.
  window.addEventListener('pageshow', guard(report, 'pageshow', (/** @type {PageTransitionEvent} */ event) => {
    if (event.persisted) location.reload();
  }));
  outbox.kick();
  visit.start();
}

main().catch((error) => {
  report('start', error);
  const described = describe(error);
  status.error = { code: described.code, message: described.message, where: 'start' };
  status.phase = 'failed';
  tellServer(socket, 'start', error);
  screens.showError(described, false);
});
