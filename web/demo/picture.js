// @ts-check
/**
 * What is to be drawn at which time, of the lists of objects that an environment's `render()` returns. Without the DOM.
 *
 * Permanent objects stay until they are replaced or removed or the episode is reset; all others live for one picture.
 * Presentation only: an object with `tween` glides from where it was last drawn to where it is, within the time of one
 * tick. What a rollback has corrected is drawn where it was on the screen, and what it is off goes to nothing within the
 * study's `smooth_corrections`, whatever else moves meanwhile: so a rollback does not look like a jump. What is drawn never
 * flows back into the game.
 */

import { TERMS, filled, inOurTerms } from './terms.js';

/** Farther than this part of the world's width within one picture is a jump (a new serve), not a movement. */
const JUMP = 0.3;

/**
 * One object of the page's contract; which fields are there depends on `object_type`.
 *
 * @typedef {object} GameObject
 * @property {string} uuid
 * @property {'rectangle' | 'circle' | 'line' | 'polygon' | 'text' | 'sprite' | 'pixels' | 'removed'} object_type
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
 * @property {number[]} [points] x and y in turns; as given, also a list of pairs
 * @property {string} [color]
 * @property {string} [stroke]
 * @property {string} [text]
 * @property {CanvasTextAlign} [align]
 * @property {string} [font] of a text, as CSS names it
 * @property {number} [weight] of a text
 * @property {boolean} [hangs] whether `y` is the upper edge of a text, and not its middle
 * @property {'sharp' | 'round'} [edges] of lines and outlines
 * @property {string} [src] of a sprite's picture
 * @property {string} [image] the same by its name among those that the study preloads
 * @property {string | number} [frame] which part of it
 * @property {number} [angle] of a sprite around its upper left corner, degrees
 * @property {string} [terms] whose terms these are, if they are not ours
 * @property {number} [columns] of a picture of pixels
 * @property {number} [rows]
 * @property {number} [channels] 3 or 4 bytes to a pixel
 * @property {Uint8Array} [pixels] row by row
 */

/**
 * By how much something is drawn beside where it is.
 *
 * @typedef {{x: number, y: number, since: number, until: number}} Off
 */

/** @typedef {{object: GameObject, from: GameObject, since: number, until: number, off: Off | null}} Track */

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
    drawn.points = to.points.map((place, index) => mix(before[index] ?? place, place, part));
  }
  return drawn;
}

/** The object moved as a whole. @param {GameObject} object @param {number} dx @param {number} dy @returns {GameObject} */
function moved(object, dx, dy) {
  const drawn = { ...object };
  if (object.x !== undefined) drawn.x = object.x + dx;
  if (object.y !== undefined) drawn.y = object.y + dy;
  if (object.points) drawn.points = object.points.map((place, index) => place + (index % 2 ? dy : dx));
  return drawn;
}

/** The object with its points as x and y in turns. @param {GameObject} object @returns {GameObject} */
function inTurns(object) {
  const { points } = object;
  if (!Array.isArray(points?.[0])) return object;
  /** @type {number[]} */
  const turns = [];
  for (const pair of /** @type {[number, number][]} */ (/** @type {unknown} */ (points))) turns.push(pair[0], pair[1]);
  return { ...object, points: turns };
}

/** How far one is from another, as both are drawn. @param {GameObject} from @param {GameObject} to @returns {[dx: number, dy: number]} */
function distance(from, to) {
  const [x0 = from.x ?? 0, y0 = from.y ?? 0] = from.points ?? [];
  const [x1 = to.x ?? 0, y1 = to.y ?? 0] = to.points ?? [];
  return [x1 - x0, y1 - y0];
}

/** What is to be drawn at which time. Without the DOM. */
export class Picture {
  /** @type {Map<string, Track>} */ #permanent = new Map();
  /** @type {Map<string, Track>} */ #moving = new Map();

  /** @param {import('./terms.js').World} world */
  constructor(world) {
    this.world = world;
    this.width = world.width;
  }

  /**
   * Take in what `render()` returned. Throws what is wrong with an object of it when all others are there.
   *
   * @param {{objects: GameObject[], reset?: boolean}} list
   * @param {number} now s
   * @param {number} period between two pictures, s
   * @param {number} smooth s within which a correction of the past is seen in full; 0: nothing was corrected before this
   *   picture, or it is seen at once
   */
  take({ objects, reset = false }, now, period, smooth) {
    if (reset) this.#permanent.clear();
    /** @type {Map<string, Track>} */
    const moving = new Map();
    /** @type {unknown[]} */
    const wrong = [];
    for (const given of objects) {
      try {
        for (const object of this.#ours(given)) {
          const { uuid } = object;
          if (object.object_type === 'removed') {
            this.#permanent.delete(uuid);
            this.#permanent.delete(filled(uuid));
            continue;
          }
          const last = this.#permanent.get(uuid) ?? (reset ? undefined : this.#moving.get(uuid));
          const track = this.#track(object, last, now, period, smooth);
          if (object.permanent) this.#permanent.set(uuid, track);
          else moving.set(uuid, track);
        }
      } catch (error) {
        wrong.push(error);
      }
    }
    this.#moving = moving;
    if (wrong.length > 0) throw wrong[0];
  }

  /** @param {GameObject} given @returns {GameObject[]} */
  #ours(given) {
    return given.terms === TERMS && given.object_type !== 'removed' ? inOurTerms(given, this.world) : [inTurns(given)];
  }

  /** @param {GameObject} object @param {Track | undefined} last @param {number} now @param {number} period @param {number} smooth @returns {Track} */
  #track(object, last, now, period, smooth) {
    if (last === undefined) return { object, from: object, since: now, until: now, off: null };
    const base = this.#base(last, now);
    if (smooth > 0) {
      const [x, y] = distance(object, this.#at(last, now));
      // A correction that shows a new serve is no movement either.
      const off = (x !== 0 || y !== 0) && Math.hypot(x, y) <= this.width * JUMP ? { x, y, since: now, until: now + smooth } : null;
      return { object, from: object, since: now, until: now, off };
    }
    const glides = object.tween && Math.hypot(...distance(base, object)) <= this.width * JUMP;
    const off = last.off && last.off.until > now ? last.off : null;
    return { object, from: glides ? base : object, since: now, until: glides ? now + period : now, off };
  }

  /** Where it is, between two pictures. @param {Track} track @param {number} now */
  #base({ object, from, since, until }, now) {
    return until <= now ? object : between(from, object, Math.max(0, (now - since) / (until - since)));
  }

  /** Where it is drawn. @param {Track} track @param {number} now */
  #at(track, now) {
    const base = this.#base(track, now);
    const { off } = track;
    if (off === null || off.until <= now) return base;
    const left = (off.until - now) / (off.until - off.since);
    return moved(base, off.x * left, off.y * left);
  }

  /**
   * @param {number} now s
   * @returns {{objects: GameObject[], settled: boolean}} by depth; settled if nothing moves any more
   */
  at(now) {
    /** @type {GameObject[]} */
    const objects = [];
    let settled = true;
    for (const tracks of [this.#permanent, this.#moving]) {
      for (const track of tracks.values()) {
        if (track.until > now || (track.off?.until ?? 0) > now) settled = false;
        objects.push(this.#at(track, now));
      }
    }
    objects.sort((a, b) => (a.depth ?? 0) - (b.depth ?? 0));
    return { objects, settled };
  }

  clear() {
    this.#permanent.clear();
    this.#moving.clear();
  }
}
