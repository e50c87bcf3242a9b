// All pictures of the page that watches share the time of one turn, and each has its own sooner or later.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WATCHING } from '../../../web/watch/handed.js';
import { takingTurns } from '../../../web/watch/turns.js';

let tick = null;
let now = 0;
globalThis.window = {
  setInterval: (all, every) => {
    assert.equal(every, WATCHING.turn_ms);
    tick = all;
    return 1;
  },
  clearInterval: () => { tick = null; },
};
performance.now = () => now;

test('together they take no longer than a turn, and whose turn did not come is first', () => {
  const taken = [];
  const slow = WATCHING.longest_ms / 2;
  const ends = ['a', 'b', 'c'].map((name) => takingTurns((_, until) => {
    assert.ok(now < until);
    taken.push(name);
    now += slow;
  }));
  for (let turn = 0; turn < 3; turn += 1) {
    const began = now;
    tick();
    assert.equal(now - began, WATCHING.longest_ms);
  }
  assert.deepEqual(taken, ['a', 'b', 'c', 'a', 'b', 'c']);
  ends[1]();
  taken.length = 0;
  tick();
  assert.deepEqual(taken, ['a', 'c']);
  ends[0]();
  ends[2]();
  assert.equal(tick, null);
});

test('one that ends another in its turn leaves nobody out', () => {
  const taken = [];
  takingTurns(() => { taken.push('a'); end(); });
  const end = takingTurns(() => taken.push('b'));
  takingTurns(() => taken.push('c'));
  tick();
  assert.deepEqual(taken, ['a', 'c']);
});
