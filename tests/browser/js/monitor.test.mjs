/** The page's monitor is a file that is loaded when a game begins: others wait then. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { register } from 'node:module';

register(`data:text/javascript,${encodeURIComponent(`
  const stub = 'export class ContinuousMonitor { constructor(config) { this.config = config; } }';
  export const resolve = async (specifier, context, next) => (specifier.endsWith('/continuous_monitor.js')
    ? { url: 'data:text/javascript,' + encodeURIComponent(stub), shortCircuit: true } : next(specifier, context));`)}`);
globalThis.window = globalThis;
const { createMonitor } = await import('../../../web/interactive_gym/monitor.js');

test('a monitor that does not come at once is asked for again, and none is asked for where the study wants none', async (t) => {
  t.mock.method(console, 'warn', () => {});
  const asked = [];
  const answers = [new TypeError('no network'), 503, 200];
  globalThis.setTimeout = (f, ms) => { if (ms < 10_000) setImmediate(f); };
  globalThis.fetch = async (url) => {
    asked.push(url.split('/').at(-1));
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return { status: answer, ok: answer < 400, headers: new Headers() };
  };
  assert.equal(await createMonitor({ config: {} }, null, () => {}), null);
  assert.deepEqual(asked, []);
  assert.ok(await createMonitor({ config: { continuous_monitoring_enabled: true } }, null, () => {}));
  assert.deepEqual(asked, Array(3).fill('continuous_monitor.js'));
});
