/** Deadlines of the loop, on a clock moved by hand. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { TICKS } from '../../../web/core/handed.js';
import { Ticker, runDue } from '../../../web/core/timer.js';

const BURST = TICKS.in_a_row;

const PERIOD = 1 / 32;
const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

/** A clock that moves only when somebody moves it, and by `cost` with each tick. */
function world({ cost = 0 } = {}) {
  const here = { now: 10, ticks: 0, clock: () => here.now, tick: () => { here.ticks += 1; here.now += cost; return PERIOD; } };
  return here;
}

test('before its deadline no tick runs and the deadline stays', () => {
  const here = world();
  assert.equal(runDue(10.5, here.clock, here.tick), 10.5);
  assert.equal(here.ticks, 0);
});

test('late wake-ups do not shift the later deadlines', () => {
  const here = world();
  let due = here.now;
  for (let i = 0; i < 200; i += 1) {
    here.now = Math.max(here.now, due + (i % 3) * 0.004);
    due = runDue(due, here.clock, here.tick);
  }
  assert.equal(here.ticks, 200);
  close(due, 10 + 200 * PERIOD);
});

test('two missed ticks are made up for at once', () => {
  const here = world();
  here.now += 2 * PERIOD;
  const due = runDue(10, here.clock, here.tick);
  assert.equal(here.ticks, 3);
  close(due, 10 + 3 * PERIOD);
});

test('after a long absence at most a burst runs and the lost time is given up', () => {
  const here = world();
  here.now += 5;
  const due = runDue(10, here.clock, here.tick);
  assert.equal(here.ticks, BURST);
  assert.equal(due, here.now);
});

test('a tick slower than its period ends the burst, so that the browser gets a turn', () => {
  const here = world({ cost: 2 * PERIOD });
  here.now += 3 * PERIOD;
  runDue(10, here.clock, here.tick);
  assert.equal(here.ticks, 1);
});

/** A ticker whose alarm is a list of what was asked of it. */
function ticker(here) {
  const alarm = { delays: [], closed: false };
  const made = new Ticker(here.tick, here.clock, assert.fail, (wake) => {
    alarm.wake = wake;
    return { after: (delay) => alarm.delays.push(delay), close: () => { alarm.closed = true; } };
  });
  return { made, alarm };
}

test('the ticker ticks at once when started and then sleeps until the next deadline', () => {
  const here = world();
  const { made, alarm } = ticker(here);
  made.start();
  assert.equal(here.ticks, 1);
  close(alarm.delays.at(-1), PERIOD * 1000);
});

test('an arriving message makes up for a late alarm and otherwise changes nothing', () => {
  const here = world();
  const { made, alarm } = ticker(here);
  made.start();
  made.nudge();
  assert.deepEqual([here.ticks, alarm.delays.length], [1, 1]);
  here.now += PERIOD;
  made.nudge();
  assert.deepEqual([here.ticks, alarm.delays.length], [2, 2]);
});

test('a tick that stops the ticker is the last one', () => {
  const here = world();
  const { made, alarm } = ticker(here);
  const { tick } = here;
  made.tick = () => { made.stop(); return tick(); };
  made.start();
  assert.equal(alarm.closed, true);
  alarm.wake();
  made.nudge();
  assert.equal(here.ticks, 1);
  assert.deepEqual(alarm.delays, []);
});

test('a tick that finds the last one at work stays due and is tried again a little later', () => {
  const here = world();
  let busy = true;
  const tick = () => (busy ? -PERIOD : here.tick());
  assert.equal(runDue(10, here.clock, tick), 10);
  here.now += 2.5 * PERIOD;
  assert.equal(runDue(10, here.clock, tick), 10);
  busy = false;
  const due = runDue(10, here.clock, tick);
  assert.equal(here.ticks, 3);
  close(due, 10 + 3 * PERIOD);
  busy = true;
  here.now += 10;
  assert.equal(runDue(due, here.clock, tick), here.now);
});

test('a ticker whose tick is at work does not spin', () => {
  const here = world();
  here.tick = () => -PERIOD;
  const { alarm, made } = ticker(here);
  made.start();
  alarm.wake();
  assert.ok(alarm.delays.length >= 2);
  assert.ok(alarm.delays.every((delay) => delay >= 1), String(alarm.delays));
});
