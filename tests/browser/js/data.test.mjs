/** The data of the host page: who stores what, and that a game counts once. */

import { test } from 'node:test';
import assert from 'node:assert/strict';

const kept = new Map();
globalThis.window = {
  subjectName: 'ann', sessionId: 's1', msgpack: { encode: (value) => value },
  sessionStorage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) },
};
const { Data, gamesBefore } = await import('../../../web/interactive_gym/data.js');

let scenes = 0;

function world(storesEpisodes) {
  // Each test has a scene of its own: what is counted is counted for as long as the page is there.
  const scene = `volley ${scenes += 1}`;
  const sent = [];
  const face = { config: { scene_id: scene }, sceneId: scene, can: { stores_episodes: storesEpisodes } };
  const host = {
    store: async (event, { episode_num: name }) => void sent.push([event, name]),
    emit: (event) => void sent.push([event]),
  };
  const core = { bridge: { read: (name, ...words) => JSON.stringify([name, ...words]) } };
  return { data: new Data(face, host), core, sent, before: () => gamesBefore(scene) };
}

test('each part of an episode is a message, and a game with data counts once', () => {
  const { data, core, sent, before } = world(true);
  data.storeEpisode(core, 0, [0, '0.part2']);
  data.storeEpisode(core, 1, [1]);
  assert.deepEqual(sent, [['emit_episode_data', 0], ['emit_episode_data', '0.part2'], ['emit_episode_data', 1]]);
  assert.equal(before(), 1);
  data.next();
  data.storeEpisode(core, 0, [0]);
  assert.equal(before(), 2);
});

test('the seed\'s page stores its episodes itself, and gets the scene at once where it stays', () => {
  const seed = world(false);
  seed.data.storeEpisode(seed.core, 0, [0]);
  assert.deepEqual([seed.sent, seed.before()], [[], 0]);
  seed.data.storeScene(seed.core);
  assert.deepEqual(seed.sent, [['emit_remote_game_data']]);
  const mug = world(true);
  mug.data.storeScene(mug.core);
  assert.deepEqual(mug.sent, []);
});

test('in a browser that keeps nothing, or has no room, a scene that is played again has files of its own, too', () => {
  const { sessionStorage } = window;
  const warn = console.warn;
  console.warn = () => {};
  const broken = {
    full: { getItem: () => null, setItem: () => { throw new Error('QuotaExceededError'); } },
    forbidden: { getItem: () => { throw new Error('SecurityError'); }, setItem: () => { throw new Error('SecurityError'); } },
  };
  try {
    for (const [why, storage] of Object.entries(broken)) {
      window.sessionStorage = storage;
      const { data, core, before } = world(true);
      assert.equal(before(), 0, why);
      data.storeEpisode(core, 0, [0]);
      data.next();
      assert.equal(before(), 1, why);
    }
  } finally {
    Object.assign(console, { warn });
    window.sessionStorage = sessionStorage;
  }
});
