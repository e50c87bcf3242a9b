/** The face that the host page drives: what it is given to draw and to log. */

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { hostPage } from './host_page.mjs';

const PLAYING = 2;
const STEPPED = 1;

const frame = (step, picture) => JSON.stringify({
  observations: [], observed: 0, rewards: [], terminateds: [], truncateds: [], infos: [], actions: {}, cumulative: {}, hud: '',
  step, picture: { objects: picture === null ? null : [picture] },
});

/** What a state to draw shows. */
const shown = ({ game_state_objects: objects }) => objects?.[0] ?? null;

let leave = () => {};
after(() => leave());

test('a page that logs confirmed frames draws the newest picture beside them, whichever came first', async () => {
  const { face, python, begins, enters } = await hostPage('seed');
  leave = () => face.cleanupForSceneExit();
  await begins();
  assert.notEqual(face.core, null);
  enters(PLAYING);
  python.view.reset_result = frame(0, 'frame 0');
  await face.reset();
  assert.deepEqual(drawn.map(shown), ['frame 0']);
  const turn = async (flags, row, picture) => {
    Object.assign(python, { flags });
    Object.assign(python.view, { confirmed_row: row, step_result: frame(9, picture) });
    drawn.length = 0;
    // The page steps by itself, and not too early.
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    const result = await face.step({ 0: 1 });
    return result === null ? drawn.map(shown) : [shown(result[5])];
  };
  assert.deepEqual(await turn(0, frame(1, null), null), ['frame 0'], 'behind a frame that was stepped without the page');
  assert.deepEqual(await turn(STEPPED, frame(1, null), 'frame 1'), ['frame 1']);
  assert.deepEqual(await turn(STEPPED, '', 'frame 2'), ['frame 2']);
  assert.deepEqual(await turn(0, frame(2, null), null), ['frame 2'], 'at an end the last rows come when nothing is stepped');
});
