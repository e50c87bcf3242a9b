/** A picture that cannot be drawn ends no game: it is said in its place, and once to whoever runs the study. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { STEPPED } from '../../../web/core/bridge.js';
import { PycoreGame } from '../../../web/core/game.js';

/** A game whose `render` gives these texts in turn (an error is raised) until they are used up; what came of it. */
async function played(renders, show = () => {}, more = {}) {
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
  globalThis.window = globalThis;
  const seen = { shown: [], reports: [], told: [], failed: [] };
  const words = new Uint8Array(4096);
  new DataView(words.buffer).setFloat64(0, 0.002, true);
  const buffer = (data) => ({ getBuffer: () => ({ data, release() {} }), destroy() {} });
  await new Promise((done) => {
    const view = {
      destroy() {}, hud: () => '{"players": []}',
      render() {
        const next = renders.shift();
        if (renders.length === 0) done();
        if (next instanceof Error) throw next;
        return next;
      },
    };
    const game = new PycoreGame({
      create: () => ({
        link_count: 0, inbox: buffer(new Uint8Array(4096)), outbox: buffer(words), view, poll: () => 16,
        advance: () => STEPPED, send_failed: () => 16, outbox_length: () => 16, set_wall_ms() {}, close() {}, destroy() {},
      }),
      environment: { destroy() {} }, config: { game_id: 'g', player_id: 0 },
      socket: { connected: true, rtt: NaN, emit: (...given) => { seen.told.push(given); return true; }, onEvent: () => () => {} },
      report: (where, error) => { if (where.startsWith('game.')) seen.reports.push([where, error.message]); },
      readAction: () => 0,
      renderer: { show: (picture) => { seen.shown.push(picture.objects); show(picture); } },
      onFailed: (error) => { seen.failed.push(error); done(); },
      ...more,
    });
    seen.game = game;
    game.start();
  });
  seen.game.close();
  return seen;
}

const ball = { uuid: 'ball', object_type: 'circle', x: 1 };
const drawn = JSON.stringify({ objects: [ball], reset: false });

test('players read that there is no picture, and whoever runs the study why, also where Python found that out', async () => {
  const said = (text) => JSON.stringify({ objects: [ball, { uuid: 'no picture', object_type: 'text', text }], reset: false });
  const why = "render() returned an object 'ball' whose x is nan";
  const { shown, reports, told } = await played([said(why), said(why), drawn, '']);
  const plain = 'The picture cannot be drawn. Please tell the person who runs the study.';
  assert.deepEqual(shown.map((objects) => objects.map(({ text, uuid }) => text ?? uuid)), [['ball', plain], ['ball', plain], ['ball']]);
  assert.deepEqual(reports, [['game.draw', why]]);
  assert.deepEqual(told, [['page_failed', { code: 'no-picture', message: why, where: 'draw' }, true]]);
});

test('what render() raises is said in the place of that picture, and the next one is drawn', async () => {
  const raised = new Error('Traceback (most recent call last):\n  File "environment.py", line 19, in render\nKeyError: 3\n');
  raised.name = 'PythonError';
  raised.type = 'KeyError';
  const { shown, reports, told, failed } = await played([drawn, raised, raised, drawn, ''], () => {}, { undrawable: (why) => `<${why}>` });
  assert.deepEqual(failed, []);
  assert.deepEqual(shown.map(([object]) => object.text ?? object.uuid), ['ball', ...Array(2).fill('<KeyError: 3 (environment.py:19)>'), 'ball']);
  assert.equal(reports.length, 1);
  assert.deepEqual(told, [['page_failed', { code: 'python-KeyError', message: 'KeyError: 3 (environment.py:19)', where: 'draw' }, true]]);
});

test('a renderer that fails on one picture is given the next one', async () => {
  const odd = JSON.stringify({ objects: [null], reset: false });
  const { shown, reports, failed } = await played([odd, odd, drawn, ''], ({ objects }) => { if (objects[0] === null) throw new Error('null has no uuid'); });
  assert.deepEqual(failed, []);
  assert.deepEqual(shown.at(-1), [ball]);
  assert.deepEqual(reports, [['game.draw', 'null has no uuid']]);
});
