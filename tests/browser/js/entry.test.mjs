/** The face that the host page drives: what it is given to draw and to log. */

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { hostPage } from './host_page.mjs';

const PLAYING = 2;
const STEPPED = 1;

const frame = (step, picture, observations = []) => JSON.stringify({
  observations, observed: 0, rewards: [], terminateds: [], truncateds: [], infos: [], actions: {}, cumulative: {}, hud: '',
  step, picture: { objects: picture === null ? null : [picture] },
});

/** What a state to draw shows. */
const shown = ({ game_state_objects: objects }) => objects?.[0] ?? null;

const faces = [];
after(() => faces.forEach((face) => face.cleanupForSceneExit()));

test('a page that logs confirmed frames draws the newest picture beside them, whichever came first', async () => {
  const { face, python, begins, enters } = await hostPage('seed');
  faces.push(face);
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

for (const [who, agents] of [['without bots', [0]], ['with bots of its own', [0, 'bot']]]) {
  test(`what a hidden page ${who} is given does not wait to be drawn when somebody looks again`, async () => {
    const { face, python, begins, enters } = await hostPage('mug');
    faces.push(face);
    python.agents = agents;
    await begins();
    enters(PLAYING);
    python.view.reset_result = frame(0, 'frame 0');
    document.hidden = true;
    await face.reset();
    const asked = [];
    Object.assign(python, { flags: STEPPED });
    python.view.step_result = (seen = 1) => {
      asked.push(seen);
      return frame(asked.length, seen ? 'seen' : null, [[`seen ${asked.length}`, 0]]);
    };
    // As the page does with what a step gives: its bots look at this, and at the number of the step.
    let observed = null;
    const turn = async () => {
      const result = await face.step({ 0: 1 });
      if (result === null) return;
      drawn.push(result[5]);
      [observed] = result;
    };
    for (const step of [1, 2, 3]) {
      await turn();
      if (agents.length > 1) assert.deepEqual([[...observed.keys()], face.step_num], [[`seen ${step}`], step]);
    }
    assert.deepEqual(asked, agents.length > 1 ? [0, 0, 0] : [], 'no picture is made');
    assert.deepEqual(drawn.map(shown), agents.length > 1 ? ['frame 0', null] : ['frame 0'], 'and what was to be drawn stays');
    document.hidden = false;
    await turn();
    assert.deepEqual(drawn.slice(-1).map(shown), ['seen']);
  });
}
