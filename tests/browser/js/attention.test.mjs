// Who waits in another tab is called when the game begins; the screen stays on while it runs.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Attention } from '../../../web/demo/attention.js';
import './english.mjs';

/** A document that can be hidden, and a browser that counts what it is asked. */
function stage({ hidden = false, refuses = false, wakeLock = true } = {}) {
  const page = new EventTarget();
  Object.assign(page, { hidden, title: 'Beach volley' });
  const locks = [];
  const browser = wakeLock ? {
    wakeLock: {
      async request(type) {
        const lock = { type, released: false, async release() { lock.released = true; } };
        locks.push(lock);
        if (refuses) throw new Error('the battery is low');
        return lock;
      },
    },
  } : {};
  const see = (seen) => {
    page.hidden = !seen;
    page.dispatchEvent(new Event('visibilitychange'));
  };
  return { page, locks, see, attention: new Attention(page, browser) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a page that is hidden when the game begins says so in its title until it is seen', () => {
  const { page, see, attention } = stage({ hidden: true });
  attention.entered('waiting');
  assert.equal(page.title, 'Beach volley');
  attention.entered('connecting');
  assert.equal(page.title, `The game begins – Beach volley`);
  attention.entered('playing');
  attention.entered('playing');
  assert.equal(page.title, `The game begins – Beach volley`);
  see(true);
  assert.equal(page.title, 'Beach volley');
  see(false);
  attention.entered('between');
  attention.entered('playing');
  assert.equal(page.title, 'Beach volley', 'it began long ago');
});

test('a page that is seen needs no call, and the call ends with the game', () => {
  const seen = stage();
  seen.attention.entered('connecting');
  assert.equal(seen.page.title, 'Beach volley');
  const hidden = stage({ hidden: true });
  hidden.attention.entered('connecting');
  hidden.attention.entered('done');
  assert.equal(hidden.page.title, 'Beach volley');
  hidden.attention.entered('waiting');
  hidden.attention.entered('connecting');
  assert.equal(hidden.page.title, `The game begins – Beach volley`, 'the next game calls again');
});

test('the screen is kept on while a game runs and the page is seen', async () => {
  const { locks, see, attention } = stage();
  attention.entered('waiting');
  await settled();
  assert.equal(locks.length, 0);
  attention.entered('connecting');
  attention.entered('playing');
  await settled();
  assert.deepEqual(locks.map(({ type, released }) => [type, released]), [['screen', false]]);
  see(false);
  await settled();
  assert.equal(locks.length, 1, 'nobody looks at it');
  see(true);
  await settled();
  assert.equal(locks.length, 2, 'the browser has taken the first one back');
  attention.entered('done');
  await settled();
  assert.equal(locks[1].released, true);
  see(false);
  see(true);
  await settled();
  assert.equal(locks.length, 2);
});

test('a game that is over before the browser has answered keeps no screen on', async () => {
  const { locks, attention } = stage();
  attention.entered('connecting');
  attention.entered('failed');
  await settled();
  assert.deepEqual(locks.map(({ released }) => released), [true]);
});

test('what a browser refuses is asked for again only after the page was hidden, and what it lacks never', async () => {
  const { locks, see, attention } = stage({ refuses: true });
  attention.entered('connecting');
  attention.entered('playing');
  attention.entered('between');
  await settled();
  assert.equal(locks.length, 1);
  see(false);
  see(true);
  await settled();
  assert.equal(locks.length, 2);
  stage({ wakeLock: false }).attention.entered('playing');
});

test('who is asked in another tab whether they are there is called, and then to the game', () => {
  const { page, attention } = stage({ hidden: true });
  attention.entered('waiting');
  attention.entered('asked');
  assert.equal(page.title, 'Are you there? – Beach volley');
  attention.entered('waiting');
  assert.equal(page.title, 'Beach volley', 'the others did not answer');
  attention.entered('asked');
  attention.entered('connecting');
  assert.equal(page.title, 'The game begins – Beach volley');
});
