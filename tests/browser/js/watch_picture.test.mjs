/** What the page that watches draws of files: it lies in a folder of its own, below the site whose games it shows. */

import { test } from 'node:test';
import assert from 'node:assert/strict';

const drawn = [];
const context = new Proxy({}, { get: (_, name) => (name === 'drawImage' ? (file) => void drawn.push(file.address) : () => ({})), set: () => true });
const element = () => ({
  hidden: true, style: {}, dataset: {}, clientWidth: 300, clientHeight: 200, addEventListener: () => {},
  getContext: (kind) => (kind === '2d' ? context : null),
});
const asked = [];
const files = [];
globalThis.Image = class {
  complete = false;
  naturalWidth = 0;
  set src(address) {
    this.address = address;
    files.push(this);
    asked.push(address);
  }
};
globalThis.window = { devicePixelRatio: 1 };
globalThis.document = { createElement: element };
globalThis.ResizeObserver = class { observe() {} disconnect() {} };
globalThis.cancelAnimationFrame = () => {};
globalThis.requestAnimationFrame = (paint) => { setImmediate(paint); return 1; };
const { Picture } = await import('../../../web/watch/picture.js');

test('an address that an environment draws is that of the site, and a whole one stays', async () => {
  const picture = new Picture({ querySelector: element, hidden: true }, new AbortController().signal, /** @type {any} */ ({}));
  const sprites = ['assets/ball.png', 'https://elsewhere.test/net.png', 'data:image/png;base64,AA'].map((src, index) => (
    { uuid: `${index}`, object_type: 'sprite', src, x: 0, y: 0, w: 9, h: 9 }));
  picture.draw({ show: () => JSON.stringify({ objects: sprites, reset: true }) }, 1);
  await new Promise((resolve) => { setTimeout(resolve, 5); });
  const site = new URL('../../../web/', import.meta.url).href;
  assert.deepEqual(asked, [`${site}assets/ball.png`, 'https://elsewhere.test/net.png', 'data:image/png;base64,AA']);
});

test('a picture that stands still is drawn anew when a file of it comes', async () => {
  const picture = new Picture({ querySelector: element, hidden: true }, new AbortController().signal, /** @type {any} */ ({}));
  const sprite = { uuid: 'late', object_type: 'sprite', src: 'assets/late.png', x: 0, y: 0, w: 9, h: 9 };
  picture.draw({ show: () => JSON.stringify({ objects: [sprite], reset: true }) }, 1);
  const painted = () => new Promise((resolve) => { setTimeout(resolve, 5); });
  await painted();
  assert.deepEqual(drawn, []);
  const file = files.find(({ address }) => address.endsWith('late.png'));
  Object.assign(file, { complete: true, naturalWidth: 8 });
  file.onload();
  await painted();
  assert.deepEqual(drawn, [file.address]);
  picture.close();
  file.onload();
  await painted();
  assert.equal(drawn.length, 1);
});
