/** The data of the host page: who stores what, and that a game counts once. */

import { test } from 'node:test';
import assert from 'node:assert/strict';

const kept = new Map();
globalThis.window = {
  subjectName: 'ann', sessionId: 's1', msgpack: { encode: (value) => value },
  sessionStorage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) },
};
const { Data, gamesBefore } = await import('../../../web/interactive_gym/data.js');

function world(storesEpisodes) {
  kept.clear();
  const sent = [];
  const face = { config: { scene_id: 'volley' }, sceneId: 'volley', can: { stores_episodes: storesEpisodes } };
  const host = {
    store: async (event, { episode_num: name }) => void sent.push([event, name]),
    emit: (event) => void sent.push([event]),
  };
  const core = { bridge: { read: (name, ...words) => JSON.stringify([name, ...words]) } };
  return { data: new Data(face, host), core, sent };
}

test('each part of an episode is a message, and a game with data counts once', () => {
  const { data, core, sent } = world(true);
  data.storeEpisode(core, 0, [0, '0.part2']);
  data.storeEpisode(core, 1, [1]);
  assert.deepEqual(sent, [['emit_episode_data', 0], ['emit_episode_data', '0.part2'], ['emit_episode_data', 1]]);
  assert.equal(gamesBefore('volley'), 1);
  data.next();
  data.storeEpisode(core, 0, [0]);
  assert.equal(gamesBefore('volley'), 2);
});

test('the seed\'s page stores its episodes itself, and gets the scene at once where it stays', () => {
  const seed = world(false);
  seed.data.storeEpisode(seed.core, 0, [0]);
  assert.deepEqual([seed.sent, gamesBefore('volley')], [[], 0]);
  seed.data.storeScene(seed.core);
  assert.deepEqual(seed.sent, [['emit_remote_game_data']]);
  const mug = world(true);
  mug.data.storeScene(mug.core);
  assert.deepEqual(mug.sent, []);
});
