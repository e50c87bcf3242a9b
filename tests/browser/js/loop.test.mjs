/** The loop inside the interactive_gym page: whose turn it is, and what happens while the page does not take it. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { PageLoop } from '../../../web/interactive_gym/loop.js';

/** A clock and timers by hand; without a Worker the loop takes the page's timers, and says so once. */
function world(stepsItself) {
  let now = 100;
  let next = null;
  globalThis.performance = { now: () => now * 1000 };
  globalThis.document = { hidden: false };
  globalThis.window = {
    setTimeout: (f, ms) => {
      next = { f, at: now + ms / 1000 };
      return 1;
    },
    clearTimeout: () => void (next = null),
  };
  const pumps = [];
  const paced = { stepsItself, isProcessingTick: false, waits: false, period: 0.05, pump: () => void pumps.push(now) };
  const loop = new PageLoop(paced, () => {});
  /** @param {number} seconds */
  const run = async (seconds) => {
    const end = now + seconds;
    while (next !== null && next.at <= end) {
      const { f, at } = next;
      next = null;
      now = Math.max(now, at);
      f();
      await new Promise((resolve) => setImmediate(resolve));
    }
    now = end;
  };
  return { loop, paced, pumps, run };
}

test('a page that steps when it is told to gets one tick per period, and none goes past it', async () => {
  const { loop, pumps, run } = world(false);
  let steps = 0;
  loop.callback = async () => {
    if (loop.takeTurn()) steps += 1;
  };
  loop.start();
  await run(1);
  loop.stop();
  assert.ok(steps >= 19 && steps <= 21, `${steps} steps`);
  assert.deepEqual(pumps, []);
});

test('while a step of the page does not end, the game goes on without it, at its own rate', async () => {
  const { loop, paced, pumps, run } = world(false);
  let finish = () => {};
  let called = 0;
  loop.callback = () => {
    called += 1;
    loop.takeTurn();
    return new Promise((resolve) => void (finish = resolve));
  };
  loop.start();
  await run(0.9);
  assert.deepEqual(pumps, []);
  await run(2.1);
  assert.ok(pumps.length >= 34 && pumps.length <= 41, `${pumps.length} ticks in two seconds`);
  assert.equal(called, 1);
  finish();
  await run(0.1);
  loop.stop();
  assert.ok(called >= 2, 'the page steps again');
  assert.equal(paced.isProcessingTick, true);
});

test('the page of January 2026 steps itself; what comes too early is refused, and hidden it is done without', async () => {
  const { loop, pumps, run } = world(true);
  loop.start();
  // It may be a few periods behind, not more.
  let turns = 0;
  while (loop.takeTurn()) turns += 1;
  assert.ok(turns >= 1 && turns <= 5, `${turns} turns`);
  pumps.length = 0;
  await run(0.05);
  assert.equal(loop.takeTurn(), true);
  assert.equal(loop.takeTurn(), false);
  assert.deepEqual(pumps, []);
  globalThis.document.hidden = true;
  await run(1);
  loop.stop();
  assert.ok(pumps.length >= 19 && pumps.length <= 21, `${pumps.length} ticks`);
});
