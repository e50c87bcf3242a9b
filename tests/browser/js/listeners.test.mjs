/** Whoever listens hears it; whoever stops takes nobody else along. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Listeners } from '../../../web/core/listeners.js';

test('all hear it in their order, also when one of them stops meanwhile', () => {
  const listeners = new Listeners();
  const heard = [];
  const stop = listeners.add((word) => {
    heard.push(['first', word]);
    stop();
  });
  listeners.add((word) => heard.push(['second', word]));
  listeners.tell(1);
  listeners.tell(2);
  assert.deepEqual(heard, [['first', 1], ['second', 1], ['second', 2]]);
});

test('who stops twice silences nobody else', () => {
  const listeners = new Listeners();
  const heard = [];
  const stop = listeners.add(() => heard.push('gone'));
  listeners.add(() => heard.push('there'));
  stop();
  stop();
  listeners.tell();
  assert.deepEqual(heard, ['there']);
});
