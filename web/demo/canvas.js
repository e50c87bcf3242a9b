// @ts-check
/**
 * Draws the list of objects that an environment's `render()` returns, in a world of 600 × 400 pixels; which of them when,
 * and where in between, is picture.js's affair.
 */

import { guard } from '../core/errors.js';
import { DRAWING } from './handed.js';
import { Picture } from './picture.js';
import { came, drawSprite, image, isThere, preload, standIn } from './sprites.js';

/** @typedef {import('./picture.js').GameObject} GameObject */

/** From one line of a text to the next, as a share of its size. */
const LINE = 1.2;
/** What the interactive_gym page's renderer measures a font by. */
const MEASURED = '|MÉqgy';

/** Pictures of pixels as they were drawn last. @type {Map<string, {object: GameObject, canvas: HTMLCanvasElement}>} */
const rasters = new Map();

/** @param {GameObject} object @returns {HTMLCanvasElement} */
function raster(object) {
  const { columns = 1, rows = 1, channels = 3, pixels = new Uint8Array() } = object;
  const last = rasters.get(object.uuid);
  if (last?.object === object) return last.canvas;
  const canvas = last?.canvas ?? document.createElement('canvas');
  if (canvas.width !== columns) canvas.width = columns;
  if (canvas.height !== rows) canvas.height = rows;
  const data = new ImageData(columns, rows);
  if (pixels.length !== columns * rows * channels) {
    throw new Error(`a picture of ${columns} × ${rows} has ${pixels.length} bytes, not ${columns * rows * channels}`);
  }
  if (channels === 4) data.data.set(pixels);
  else {
    for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
      data.data[to] = /** @type {number} */ (pixels[from]);
      data.data[to + 1] = /** @type {number} */ (pixels[from + 1]);
      data.data[to + 2] = /** @type {number} */ (pixels[from + 2]);
      data.data[to + 3] = 255;
    }
  }
  canvas.getContext('2d')?.putImageData(data, 0, 0);
  rasters.set(object.uuid, { object, canvas });
  return canvas;
}

/** @param {CanvasRenderingContext2D} context @param {GameObject} object */
function fillAndStroke(context, object) {
  if (object.color) {
    context.fillStyle = object.color;
    context.fill();
  }
  const width = object.width ?? 2;
  // The canvas passes over a width of 0, too.
  if (object.stroke && !(width <= 0)) {
    context.strokeStyle = object.stroke;
    context.lineJoin = object.edges === 'sharp' ? 'miter' : 'round';
    context.lineWidth = width;
    context.stroke();
  }
}

/** What is said in the place of a picture was placed without knowing the world. @param {GameObject} object @param {import('./terms.js').World} world */
const placed = (object, { width, height }) =>
  (object.uuid === 'no picture' ? { ...object, x: width / 2, y: height / 2, size: width / 43 } : object);

/** The first letter of a text says whether it runs from right to left; without one it does not: "3 : 2" is no 2 : 3. @param {string} text */
const runs = (text) => (/^[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(/\p{L}/u.exec(text)?.[0] ?? '') ? 'rtl' : 'ltr');

/** @param {CanvasRenderingContext2D} context @param {GameObject} object @param {number} x @param {number} y */
function write(context, object, x, y) {
  const size = object.size ?? 16;
  // A font that the browser cannot read leaves this one, with the text's own size.
  context.font = `600 ${size}px system-ui, sans-serif`;
  if (object.font || object.weight) context.font = `${object.weight ?? 600} ${size}px ${object.font ?? 'system-ui'}, sans-serif`;
  context.textAlign = object.align ?? 'left';
  // The page's own direction is that of its language.
  context.direction = runs(object.text ?? '');
  context.fillStyle = object.color ?? '#000000';
  let [first, between] = [y, size * LINE];
  if (object.hangs) {
    context.textBaseline = 'alphabetic';
    const { actualBoundingBoxAscent: above, actualBoundingBoxDescent: below } = context.measureText(MEASURED);
    [first, between] = [y + above, above + below];
  } else context.textBaseline = 'middle';
  (object.text ?? '').split('\n').forEach((line, number) => context.fillText(line, x, first + number * between));
}

/** @param {CanvasRenderingContext2D} context @param {number[]} points x and y in turns */
function trace(context, points) {
  context.beginPath();
  for (let at = 0; at + 1 < points.length; at += 2) {
    // On a new path the first one moves.
    context.lineTo(/** @type {number} */ (points[at]), /** @type {number} */ (points[at + 1]));
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {GameObject} object
 * @param {{width: number, height: number}} world
 * @param {import('./sprites.js').Images} images
 * @param {import('../core/errors.js').Report} report
 */
function draw(context, object, world, images, report) {
  const { x = 0, y = 0, w = 0, h = 0, points = [] } = object;
  switch (object.object_type) {
    case 'rectangle':
      context.beginPath();
      context.roundRect(x, y, w, h, object.radius ?? 0);
      fillAndStroke(context, object);
      break;
    case 'circle':
      context.beginPath();
      context.arc(x, y, Math.max(0, object.radius ?? 0), 0, 2 * Math.PI);
      fillAndStroke(context, object);
      break;
    case 'line':
      if ((object.width ?? 1) <= 0) break;
      trace(context, points);
      context.strokeStyle = object.color ?? '#000000';
      context.lineWidth = object.width ?? 1;
      context.lineCap = object.edges === 'sharp' ? 'butt' : 'round';
      context.lineJoin = object.edges === 'sharp' ? 'miter' : 'round';
      context.stroke();
      break;
    case 'polygon':
      trace(context, points);
      context.closePath();
      fillAndStroke(context, object);
      break;
    case 'text':
      write(context, object, x, y);
      break;
    case 'sprite': {
      if (object.image !== undefined) {
        drawSprite(context, object, images, report);
        break;
      }
      const picture = object.src ? image(object.src, report) : null;
      if (picture && isThere(picture)) context.drawImage(picture, x, y, w, h);
      else standIn(context, object);
      break;
    }
    case 'pixels': {
      const picture = raster(object);
      // As large as the world allows, unless it has a place of its own.
      const scale = Math.min(world.width / picture.width, world.height / picture.height);
      const { w: wide = picture.width * scale, h: high = picture.height * scale } = object;
      context.imageSmoothingEnabled = wide < 2 * picture.width;
      context.drawImage(picture, object.x ?? (world.width - wide) / 2, object.y ?? (world.height - high) / 2, wide, high);
      break;
    }
    default:
      throw new Error(`no such object_type: ${JSON.stringify(object.object_type)}`);
  }
}

/**
 * Whether a GPU draws, and no program in its place. Where none does, a canvas that the processor paints is shown more often
 * than one that goes by an emulated GPU.
 *
 * @param {HTMLCanvasElement} canvas of which nothing else becomes
 */
export function hasGpu(canvas) {
  const context = canvas.getContext('webgl');
  if (!context) return false;
  const names = context.getExtension('WEBGL_debug_renderer_info')?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER;
  const name = String(context.getParameter(names));
  // Browsers give a page a few of them only.
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

/** Of this page, once it is known. @type {boolean | undefined} */
let gpu;

/** The canvas on the page: sharp on every screen, its world's shape kept at every size. */
export class Renderer {
  /** @type {Set<string>} */ #reported = new Set();
  #frame = 0;
  #context;
  #observer;
  #stopWaiting;

  /**
   * @param {HTMLCanvasElement} canvas its box is given by CSS
   * @param {import('../core/errors.js').Report} report
   * @param {{world?: [number, number] | undefined, smooth?: boolean, corrections?: number | undefined, images?: import('./sprites.js').Images | undefined}} [study]
   *   `world`: its width and height; `smooth`: whether anything glides; `corrections`: s within which a correction is seen in
   *   full; `images`: those that sprites name
   */
  constructor(canvas, report, { world: [width, height] = [600, 400], smooth = true, corrections = DRAWING.corrections_s, images = {} } = {}) {
    gpu ??= hasGpu(document.createElement('canvas'));
    const context = canvas.getContext('2d', { willReadFrequently: !gpu });
    if (context === null) throw new Error('the browser gives no 2d context');
    this.canvas = canvas;
    this.report = report;
    this.world = { width, height };
    this.smooth = smooth;
    this.corrections = corrections;
    this.images = images;
    preload(images, report);
    this.picture = new Picture(this.world);
    this.#context = context;
    this.paint = guard(report, 'canvas.paint', () => this.#paint());
    this.#observer = new ResizeObserver(guard(report, 'canvas.resize', () => {
      // A canvas that has another size is empty, and this is the last moment before it is shown.
      if (this.#resize()) this.#paint();
    }));
    this.#observer.observe(canvas);
    this.#stopWaiting = came.add(() => this.#schedule());
    this.#resize();
    this.#schedule();
  }

  /** @returns {boolean} whether it has another size now */
  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const { canvas } = this;
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width === width && canvas.height === height) return false;
    Object.assign(canvas, { width, height });
    return true;
  }

  /**
   * @param {{objects: GameObject[], reset?: boolean}} list
   * @param {number} now s
   * @param {number} period s
   * @param {boolean} corrected
   */
  show(list, now, period, corrected) {
    try {
      this.picture.take(list, now, this.smooth ? period : 0, this.smooth && corrected ? this.corrections : 0);
    } finally {
      this.#schedule();
    }
  }

  #schedule() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.paint);
  }

  #paint() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { objects, settled } = this.picture.at(performance.now() / 1000);
    const { width, height } = this.canvas;
    const scale = Math.min(width / this.world.width, height / this.world.height);
    const context = this.#context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(scale, 0, 0, scale,
      (width - this.world.width * scale) / 2, (height - this.world.height * scale) / 2);
    for (const object of objects) {
      // What the browser cannot read it passes over: a color is black then, and not that of what was drawn before.
      context.save();
      try {
        draw(context, placed(object, this.world), this.world, this.images, this.report);
      } catch (error) {
        // One object that cannot be drawn must not hide the others; it is reported once, not 60 times a second.
        if (!this.#reported.has(object.uuid)) {
          this.#reported.add(object.uuid);
          this.report(`canvas.draw ${object.uuid}`, error);
        }
      }
      context.restore();
    }
    if (!settled) this.#schedule();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
    this.#stopWaiting();
    this.picture.clear();
    rasters.clear();
  }
}
