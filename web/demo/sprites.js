// @ts-check
/**
 * Pictures from files, and the parts of them that sprites show: by their place in a sheet, or by name in an atlas.
 *
 * A file that does not come is asked for again, a few times. Until it is there, and if it never is, what it would cover is
 * seen: nobody plays against somebody invisible.
 */

import { PageError } from '../core/errors.js';
import { Listeners } from '../core/listeners.js';
import { DRAWING } from './handed.js';

/**
 * What a study preloads, by name: the file's address, and of a sheet the size of a frame, of an atlas its frames: x, y,
 * width and height in the file, and, if what is empty around them was cut away, where they lie in what they were, x and y,
 * and how large that was.
 *
 * @typedef {Record<string, {src: string, size?: [number, number], frames?: Record<string, number[]>, files?: Record<string, string>}>} Images
 *   `files`: which file has which frame, where they are several
 */

/** @type {Map<string, HTMLImageElement>} */
const loaded = new Map();

/** Who draws: a picture that stands still is not drawn anew by itself. @type {Listeners<[]>} */
export const came = new Listeners();

/** @typedef {import('../core/errors.js').Report} Report */

/** @param {string} src @param {Report} report is told if it does not come @returns {HTMLImageElement} as far as it is there */
export function image(src, report) {
  const found = loaded.get(src);
  if (found) return found;
  const file = new Image();
  loaded.set(src, file);
  file.onload = () => came.tell();
  const pauses = [...DRAWING.images_again_ms];
  file.onerror = () => {
    const pause = pauses.shift();
    if (pause === undefined) report('sprites.image', new PageError('load-image', `the picture ${src} does not come`));
    else setTimeout(() => { file.src = src; }, pause);
  };
  file.src = src;
  return file;
}

/** Ask for all of them, so that they are there when they are to be seen. @param {Images} images @param {Report} report */
export function preload(images, report) {
  for (const { src, files = {} } of Object.values(images)) for (const each of [src, ...Object.values(files)]) image(each, report);
}

/** @param {HTMLImageElement} file */
export const isThere = (file) => file.complete && file.naturalWidth > 0;

/**
 * What a sprite covers whose picture is not there: in its color, or as an outline that is seen on every ground.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {import('./picture.js').GameObject} object
 */
export function standIn(context, { x = 0, y = 0, w = 0, h = 0, angle = 0, color }) {
  context.save();
  context.translate(x, y);
  context.rotate((angle * Math.PI) / 180);
  if (color) {
    context.fillStyle = color;
    context.fillRect(0, 0, w, h);
  } else {
    const thick = Math.min(w, h) / 12;
    for (const [ground, width] of /** @type {const} */ ([['#ffffff', thick], ['#1b2333', thick / 2]])) {
      context.strokeStyle = ground;
      context.lineWidth = width;
      context.strokeRect(thick / 2, thick / 2, w - thick, h - thick);
    }
  }
  context.restore();
}

/**
 * Which part of a file a sprite shows.
 *
 * @param {Images[string]} of
 * @param {string | number | undefined} frame
 * @param {number} width of the file
 * @param {number} height
 * @returns {number[]} x, y, width, height, and the four of what was cut away
 */
export function partOf({ size, frames }, frame, width, height) {
  if (frames !== undefined) {
    // Without a frame, the first one: so the interactive_gym page has it.
    const found = frame === undefined ? Object.values(frames)[0] : frames[frame];
    if (found === undefined) throw new Error(`the atlas has no frame ${JSON.stringify(frame)}`);
    return found;
  }
  if (size === undefined) return [0, 0, width, height];
  const columns = Math.max(1, Math.floor(width / size[0]));
  const number = Number(frame ?? 0);
  return [(number % columns) * size[0], Math.floor(number / columns) * size[1], ...size];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import('./picture.js').GameObject} object with an `image`
 * @param {Images} images
 * @param {Report} report
 */
export function drawSprite(context, object, images, report) {
  const { x = 0, y = 0, w = 0, h = 0, angle = 0, image: name = '' } = object;
  const of = images[name];
  if (of === undefined) throw new Error(`the study preloads no image ${JSON.stringify(name)} (assets_to_preload in study.json)`);
  const file = image(of.files?.[object.frame ?? ''] ?? of.src, report);
  if (!isThere(file)) return standIn(context, object);
  const [left = 0, top = 0, width = 0, height = 0, dx = 0, dy = 0, whole = width, high = height] =
    partOf(of, object.frame, file.naturalWidth, file.naturalHeight);
  context.save();
  context.translate(x, y);
  context.rotate((angle * Math.PI) / 180);
  context.scale(w / whole, h / high);
  // What is drawn in pixels stays so.
  context.imageSmoothingEnabled = false;
  context.drawImage(file, left, top, width, height, dx, dy, width, height);
  return context.restore();
}
