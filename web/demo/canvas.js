// @ts-check
/**
 * Draws the list of objects that an environment's `render()` returns, in a world of 600 × 400 pixels.
 *
 * Permanent objects stay until they are replaced or the episode is reset; all others live for one picture.
 * Presentation only: an object with `tween` glides from where it was last drawn to where it is, within the
 * time of one tick, or within 100 ms after a correction, so that a rollback does not look like a jump. What is
 * drawn never flows back into the game.
 */

import { guard } from '../core/errors.js';

/** A correction may take this long to be seen in full, s. */
const CORRECTION = 0.1;
/** Farther than this part of the world's width within one picture is a jump (a new serve), not a movement. */
const JUMP = 0.3;

/**
 * One object of the page's contract; which fields are there depends on `object_type`.
 *
 * @typedef {object} GameObject
 * @property {string} uuid
 * @property {'rectangle' | 'circle' | 'line' | 'polygon' | 'text' | 'sprite' | 'pixels'} object_type
 * @property {number} [depth]
 * @property {boolean} [permanent]
 * @property {boolean} [tween]
 * @property {number} [x]
 * @property {number} [y]
 * @property {number} [w]
 * @property {number} [h]
 * @property {number} [radius]
 * @property {number} [width]
 * @property {number} [size]
 * @property {[number, number][]} [points]
 * @property {string} [color]
 * @property {string} [stroke]
 * @property {string} [text]
 * @property {CanvasTextAlign} [align]
 * @property {string} [src] of a sprite's picture
 * @property {number} [columns] of a picture of pixels
 * @property {number} [rows]
 * @property {number} [channels] 3 or 4 bytes to a pixel
 * @property {Uint8Array} [pixels] row by row
 */

/** @typedef {{object: GameObject, from: GameObject, since: number, until: number}} Track */

/** @param {number} a @param {number} b @param {number} part */
const mix = (a, b, part) => a + (b - a) * part;

/**
 * The object as it is drawn between two pictures.
 *
 * @param {GameObject} from
 * @param {GameObject} to
 * @param {number} part 0 to 1
 * @returns {GameObject}
 */
export function between(from, to, part) {
  if (part >= 1) return to;
  const drawn = { ...to };
  for (const key of /** @type {const} */ (['x', 'y', 'w', 'h', 'radius'])) {
    const a = from[key];
    const b = to[key];
    if (a !== undefined && b !== undefined) drawn[key] = mix(a, b, part);
  }
  const before = from.points;
  if (to.points && before?.length === to.points.length) {
    drawn.points = to.points.map(([x, y], index) => {
      const [x0, y0] = before[index] ?? [x, y];
      return [mix(x0, x, part), mix(y0, y, part)];
    });
  }
  return drawn;
}

/** What is to be drawn at which time. Without the DOM. */
export class Picture {
  /** @type {Map<string, GameObject>} */ #permanent = new Map();
  /** @type {Map<string, Track>} */ #moving = new Map();

  /** @param {number} width of the world */
  constructor(width) {
    this.width = width;
  }

  /**
   * Take in what `render()` returned.
   *
   * @param {{objects: GameObject[], reset?: boolean}} list
   * @param {number} now s
   * @param {number} period between two pictures, s
   * @param {boolean} corrected whether the past was corrected before this picture
   */
  take({ objects, reset = false }, now, period, corrected) {
    if (reset) this.#permanent.clear();
    /** @type {Map<string, Track>} */
    const moving = new Map();
    for (const object of objects) {
      if (object.permanent) {
        this.#permanent.set(object.uuid, object);
        continue;
      }
      const last = this.#moving.get(object.uuid);
      let from = object;
      if (object.tween && last && !reset) {
        const drawn = this.#at(last, now);
        const far = Math.hypot((drawn.x ?? 0) - (object.x ?? 0), (drawn.y ?? 0) - (object.y ?? 0));
        if (far <= this.width * JUMP) from = drawn;
      }
      const time = corrected ? Math.max(period, CORRECTION) : period;
      moving.set(object.uuid, { object, from, since: now, until: from === object ? now : now + time });
    }
    this.#moving = moving;
  }

  /** @param {Track} track @param {number} now */
  #at(track, now) {
    const { object, from, since, until } = track;
    return until <= now ? object : between(from, object, Math.max(0, (now - since) / (until - since)));
  }

  /**
   * @param {number} now s
   * @returns {{objects: GameObject[], settled: boolean}} by depth; settled if nothing moves any more
   */
  at(now) {
    const objects = [...this.#permanent.values()];
    let settled = true;
    for (const track of this.#moving.values()) {
      if (track.until > now) settled = false;
      objects.push(this.#at(track, now));
    }
    objects.sort((a, b) => (a.depth ?? 0) - (b.depth ?? 0));
    return { objects, settled };
  }

  clear() {
    this.#permanent.clear();
    this.#moving.clear();
  }
}

/** @type {Map<string, HTMLImageElement>} */
const images = new Map();

/** @param {string} src */
function image(src) {
  let found = images.get(src);
  if (!found) {
    found = new Image();
    found.src = src;
    images.set(src, found);
  }
  return found;
}

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
  if (object.stroke) {
    context.strokeStyle = object.stroke;
    context.lineWidth = object.width ?? 2;
    context.stroke();
  }
}

/** @param {CanvasRenderingContext2D} context @param {[number, number][]} points */
function trace(context, points) {
  context.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {GameObject} object
 * @param {{width: number, height: number}} world
 */
function draw(context, object, world) {
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
      trace(context, points);
      context.strokeStyle = object.color ?? '#000000';
      context.lineWidth = object.width ?? 1;
      context.lineCap = 'round';
      context.lineJoin = 'round';
      context.stroke();
      break;
    case 'polygon':
      trace(context, points);
      context.closePath();
      fillAndStroke(context, object);
      break;
    case 'text':
      context.font = `600 ${object.size ?? 16}px system-ui, sans-serif`;
      context.textAlign = object.align ?? 'left';
      context.textBaseline = 'middle';
      context.fillStyle = object.color ?? '#000000';
      context.fillText(object.text ?? '', x, y);
      break;
    case 'sprite': {
      const picture = object.src ? image(object.src) : null;
      if (picture?.complete && picture.naturalWidth > 0) context.drawImage(picture, x, y, w, h);
      else if (object.color) {
        // Until its picture is there, a sprite is the area that it covers.
        context.fillStyle = object.color;
        context.fillRect(x, y, w, h);
      }
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

  /**
   * @param {HTMLCanvasElement} canvas its box is given by CSS
   * @param {import('../core/errors.js').Report} report
   * @param {{width?: number, height?: number, smooth?: boolean}} [world]
   */
  constructor(canvas, report, { width = 600, height = 400, smooth = true } = {}) {
    gpu ??= hasGpu(document.createElement('canvas'));
    const context = canvas.getContext('2d', { willReadFrequently: !gpu });
    if (context === null) throw new Error('the browser gives no 2d context');
    this.canvas = canvas;
    this.report = report;
    this.world = { width, height };
    this.smooth = smooth;
    this.picture = new Picture(width);
    this.#context = context;
    this.paint = guard(report, 'canvas.paint', () => this.#paint());
    this.#observer = new ResizeObserver(guard(report, 'canvas.resize', () => this.#resize()));
    this.#observer.observe(canvas);
    this.#resize();
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.#schedule();
  }

  /**
   * @param {{objects: GameObject[], reset?: boolean}} list
   * @param {number} now s
   * @param {number} period s
   * @param {boolean} corrected
   */
  show(list, now, period, corrected) {
    this.picture.take(list, now, this.smooth ? period : 0, this.smooth && corrected);
    this.#schedule();
  }

  #schedule() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.paint);
  }

  #paint() {
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
      try {
        draw(context, object, this.world);
      } catch (error) {
        // One object that cannot be drawn must not hide the others; it is reported once, not 60 times a second.
        if (!this.#reported.has(object.uuid)) {
          this.#reported.add(object.uuid);
          this.report(`canvas.draw ${object.uuid}`, error);
        }
      }
    }
    if (!settled) this.#schedule();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
    this.picture.clear();
    rasters.clear();
  }
}
