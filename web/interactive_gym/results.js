// @ts-check
/**
 * What Python gives for a frame, in the shapes that the page takes: Maps by agent, and a picture to render.
 *
 * The page's renderer knows lists of objects. It never shows an RGB picture: the seed's reads it from a field that
 * nobody fills, that of 0.1.3 drops pictures before it draws. So a picture is put into a texture of the page's Phaser
 * scene and shown as one sprite; where there is no such scene it goes into the fields that the seed's renderer reads.
 */

/**
 * @typedef {object} Frame
 * @property {[any, any][]} observations
 * @property {number} observed bytes of them to be fetched
 * @property {[any, any][]} rewards
 * @property {[any, any][]} terminateds
 * @property {[any, any][]} truncateds
 * @property {[any, any][]} infos
 * @property {Record<string, unknown>} actions
 * @property {Record<string, number>} cumulative
 * @property {string} hud
 * @property {number} step
 * @property {{objects: unknown[] | null, removed?: unknown[], image?: [number, number]}} picture
 */

const TEXTURE = 'pycore-picture';

/**
 * @param {[any, any][]} shapes
 * @param {Float32Array} values
 * @returns {Map<any, any>}
 */
export function observationMap(shapes, values) {
  let at = 0;
  /** @param {[any, any][]} entries @returns {Map<any, any>} */
  const read = (entries) => {
    const map = new Map();
    for (const [key, length] of entries) {
      if (typeof length === 'number') {
        map.set(key, values.slice(at, at + length));
        at += length;
      } else map.set(key, read(length));
    }
    return map;
  };
  return read(shapes);
}

/** @param {number} width @param {number} height @param {Uint8Array} rgb @returns {ImageData} */
function toImageData(width, height, rgb) {
  const image = new ImageData(width, height);
  const { data } = image;
  for (let from = 0, to = 0; to < data.length; from += 3, to += 4) {
    data[to] = rgb[from] ?? 0;
    data[to + 1] = rgb[from + 1] ?? 0;
    data[to + 2] = rgb[from + 2] ?? 0;
    data[to + 3] = 255;
  }
  return image;
}

/**
 * A picture for the page's renderer.
 *
 * @param {Frame['picture']} picture
 * @param {number} step
 * @param {() => Uint8Array} readImage the bytes of an RGB picture
 * @param {any} scene the page's Phaser scene, if there is one
 * @returns {Record<string, unknown>}
 */
export function renderState(picture, step, readImage, scene) {
  if (!picture.image) {
    return { game_state_objects: picture.objects, removed: picture.removed ?? [], game_image_base64: null, step };
  }
  const [width, height] = picture.image;
  const image = toImageData(width, height, readImage());
  if (scene?.textures) {
    let texture = scene.textures.exists(TEXTURE) ? scene.textures.get(TEXTURE) : null;
    if (texture !== null && (texture.width !== width || texture.height !== height)) {
      scene.textures.remove(TEXTURE);
      texture = null;
    }
    texture ??= scene.textures.createCanvas(TEXTURE, width, height);
    texture.context.putImageData(image, 0, 0);
    texture.refresh();
    const sprite = {
      uuid: TEXTURE, object_type: 'sprite', image_name: TEXTURE, frame: null, x: 0, y: 0,
      width: scene.width ?? width, height: scene.height ?? height, depth: -1, angle: 0, permanent: false, tween: false,
    };
    return { game_state_objects: [sprite], removed: [], game_image_base64: null, step };
  }
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  const base64 = canvas.toDataURL('image/png');
  const binary = Uint8Array.from(atob(base64.slice(base64.indexOf(',') + 1)), (letter) => letter.charCodeAt(0));
  return { game_state_objects: null, removed: [], game_image_base64: base64, game_image_binary: binary, step };
}
