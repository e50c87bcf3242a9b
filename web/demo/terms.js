// @ts-check
/**
 * Objects in the terms of the interactive_gym page, as ours: so an environment that was written for that page looks the
 * same in this one. Its places and sizes are shares of the picture, its sprites are named by what the study preloads, its texts
 * hang from their upper left corner. What that page does not draw (arcs, ellipses) is not drawn here either.
 */

/** @typedef {import('./picture.js').GameObject} GameObject */
/** @typedef {{width: number, height: number}} World */

/** How Python marks an object that is in these terms. */
export const TERMS = 'interactive_gym';

/** @param {string | undefined} color @param {number} alpha 0 to 1 */
const withAlpha = (color, alpha) =>
  (color && alpha < 1 && /^#[0-9a-f]{6}$/i.test(color) ? `${color}${Math.round(alpha * 255).toString(16).padStart(2, '0')}` : color);

/**
 * @param {any} given an object as that page takes it
 * @param {World} world
 * @returns {GameObject[]} what it is here; nothing if it is not drawn there
 */
export function inOurTerms(given, { width, height }) {
  const { uuid, depth = 0, permanent = false, alpha = 1 } = given;
  const tween = given.tween === true && given.tween_duration > 0;
  const common = { uuid, depth: depth ?? 0, permanent, tween, edges: /** @type {const} */ ('sharp') };
  const color = withAlpha(given.color, alpha) ?? '';
  const stroked = given.stroke_color && given.stroke_width > 0;
  const stroke = stroked ? { stroke: withAlpha(given.stroke_color, alpha) ?? '', width: given.stroke_width } : {};
  const at = { x: given.x * width, y: given.y * height };
  /** @type {() => number[]} */
  const points = () => given.points.flatMap((/** @type {[number, number]} */ [x, y]) => [x * width, y * height]);
  switch (given.object_type) {
    case 'rect':
    case 'rectangle':
      return [{ ...common, ...at, ...stroke, object_type: 'rectangle', w: (given.w ?? 0) * width, h: (given.h ?? 0) * height, color }];
    case 'circle':
      return [{ ...common, ...at, ...stroke, object_type: 'circle', radius: given.radius * Math.max(width, height), color }];
    case 'polygon':
      return [{ ...common, ...stroke, object_type: 'polygon', points: points(), color }];
    case 'line': {
      const line = points();
      const edge = given.fill_above === true ? 0 : given.fill_below === true ? height : null;
      /** @type {GameObject} */
      const drawn = { ...common, object_type: 'line', points: line, color: given.color, width: given.width };
      if (edge === null) return [drawn];
      const [first = 0] = line;
      const last = line.at(-2) ?? first;
      return [drawn, { ...common, uuid: filled(uuid), object_type: 'polygon', points: [...line, last, edge, first, edge], color: given.color }];
    }
    case 'text':
      return [{
        ...common, ...at, object_type: 'text', text: String(given.text ?? ''), size: given.size || 16,
        color: given.color || '#000000', font: given.font || 'Courier', weight: 400, hangs: true,
      }];
    case 'sprite':
      return given.image_name ? [{
        ...common, object_type: 'sprite', x: Math.floor(at.x), y: Math.floor(at.y), image: given.image_name,
        w: sized(given.width, width), h: sized(given.height, height), angle: given.angle || 0, ...(given.frame === null || given.frame === undefined ? {} : { frame: given.frame }),
      }] : [];
    default:
      return [];
  }
}

/** What the area beside a line is called. @param {string} uuid */
export const filled = (uuid) => `${uuid} filled`;

/** Sprites have their size in pixels there, and in shares where its Surface made them. @param {number} given @param {number} whole */
const sized = (given, whole) => (given <= 1 ? given * whole : given);
