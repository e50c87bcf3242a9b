/** Where a page's server is, and what the page calls what the browser keeps for it. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ROOT, ours, rootOf } from '../../../web/core/root.js';

test('a server is where its modules are, also where a proxy has put it under a path', () => {
  const at = (module, page = 'https://lab.test') => rootOf(module, page);
  assert.equal(at('https://lab.test/core/root.js'), '/');
  assert.equal(at('https://lab.test/studies/one/core/root.js'), '/studies/one/');
  assert.equal(at('https://cdn.test/pycore/core/root.js'), '/', 'of another site nothing follows');
  assert.equal(at('https://lab.test/core/root.js', undefined), '/');
  assert.equal(at('https://lab.test//core/root.js'), '/', 'a slash too many is no other server');
  assert.equal(at('https://lab.test/studies//one/core/root.js'), '/studies/one/');
  assert.equal(ROOT, '/');
});

test('of two studies under one name neither finds what the browser keeps for the other', () => {
  const names = ['/', '/studies/one/', '/studies/two/'].map((root) => ours('pycore', root));
  assert.equal(names[0], 'pycore', 'as it was called before there were paths');
  assert.equal(new Set(names).size, 3);
});
