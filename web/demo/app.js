// @ts-check
/**
 * The page's beginning: load everything, wire up the buttons, and let the visit begin (visit.js).
 *
 * This page is one embedding of the core among others; everything that another page needs is in core/. `?autojoin=1`
 * joins without a click. What tests and rehearsals find at the window stands in status.js.
 */

import { describe, guard } from '../core/errors.js';
import { load } from '../core/loader.js';
import { keptSeat, secret, takeParting } from '../core/seat.js';
import { connectSocket } from '../core/socket.js';
import { Comeback } from './comeback.js';
import { saveUnsent } from './ending.js';
import { DEFAULT_MAPPING } from './keys.js';
import { askBeforeLeaving } from './leaving.js';
import * as screens from './screens.js';
import { preload } from './sprites.js';
import { page, report, status, tellServer } from './status.js';
import { Outbox } from './storage.js';
import { Visit } from './visit.js';

/** The game in which this page was when it was loaded again, as far as it knows. */
const kept = keptSeat();
/** The secret by which the server knows this page again after an interruption. */
const sessionId = kept?.session ?? secret();

/** @param {string} id @param {() => unknown} action */
function onClick(id, action) {
  screens.element(id).addEventListener('click', guard(report, `click ${id}`, action));
}

/** @type {import('../core/socket.js').Socket | null} */
let socket = null;

async function main() {
  onClick('error-retry', () => location.reload());
  if (new URLSearchParams(location.search).has('details')) document.documentElement.dataset['view'] = 'developer';
  if (kept !== null) screens.showStart('returning');
  const connected = socket = await connectSocket(new URL('../vendor/socket.io.esm.min.js', import.meta.url).href, sessionId, report);
  const comeback = new Comeback(connected, kept);
  const stop = connected.onState(guard(report, 'seat', async (state) => {
    if (state !== 'connected' || comeback.game === null) return;
    stop();
    if (await comeback.isKept() || status.phase !== 'loading') return;
    status.notBack = 'over';
    screens.showStart('over');
  }));
  /** @type {Visit | null} */
  let visit = null;
  // The game is loaded meanwhile: a database may take its time.
  const opening = Outbox.open((event, data) => connected.request(event, data), report, () => visit?.onStored())
    .then(async (opened) => {
      // From here on nothing else has what the load before could not store, and this one may go before its game is loaded.
      window.addEventListener('pagehide', guard(report, 'pagehide', () => (visit ?? opened).depart()));
      await Promise.all(takeParting().map(({ event, data }) => opened.put(event, data)));
      return opened;
    });
  const loaded = await load(screens.showProgress, (message) => console.warn(`[pycore] ${message}`));
  page.pycoreLoaded = loaded;
  const { title, intro, action_mapping: mapping = DEFAULT_MAPPING, action_names: names } = loaded.manifest;
  screens.setTexts(title, intro);
  screens.showKeys(mapping, names);
  preload(loaded.manifest.images ?? {}, (where, error) => {
    report(where, error);
    tellServer(connected, 'image', error);
  });
  const { world: [width, height] = [3, 2] } = loaded.manifest;
  document.documentElement.style.setProperty('--aspect', String(width / height));

  const outbox = await opening;
  visit = new Visit(loaded, connected, outbox, sessionId, comeback);
  const running = visit;
  onClick('play', () => running.join());
  onClick('again', () => running.again());
  onClick('ready', () => running.asking.ready());
  onClick('error-here', () => running.takeOver());
  onClick('cancel', () => running.leave());
  onClick('save-metrics', () => running.save('metrics'));
  onClick('save-records', () => running.save('records'));
  onClick('save-experienced', () => running.save('experienced'));
  for (const id of ['save-unsent', 'error-unsent']) onClick(id, () => saveUnsent(outbox));
  onClick('error-save', () => running.save('records'));
  onClick('leftover-save', () => saveUnsent(outbox));
  onClick('leftover-discard', () => outbox.discard());
  askBeforeLeaving();
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
