// @ts-check
/**
 * A replay to look at: one picture for each confirmed frame, found by a slider.
 *
 * The pictures were made by stepping the record again; they are drawn by the renderer that the participants' page has.
 * A frame's picture shows the state after it. Everything is in this one file: it asks nobody for anything.
 */

import { Renderer } from '../demo/canvas.js';

/** @typedef {import('../demo/canvas.js').GameObject} GameObject */

/**
 * One frame. `picture` is what the page's renderer takes, the address of an image, or null.
 *
 * @typedef {object} Shot
 * @property {number} episode
 * @property {number} frame
 * @property {unknown[]} actions by seat
 * @property {Record<string, unknown>} rewards by player, summed since the game began
 * @property {unknown} score
 * @property {{objects: GameObject[], reset: boolean} | string | null} picture
 * @property {{shown: unknown[], guessed: number[], corrected: boolean}[]} [seen] each time that a participant was shown it
 */

/** @typedef {{title: string, fps: number, players: string[], seenBy: string | null, note: string, shots: Shot[]}} Film */

/** @param {string} id */
const element = (id) => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
};

/** @type {Film} */
const film = JSON.parse(element('record').textContent ?? '');
const { shots } = film;
const canvas = /** @type {HTMLCanvasElement} */ (element('canvas'));
const array = /** @type {HTMLImageElement} */ (element('array'));
const slider = /** @type {HTMLInputElement} */ (element('slider'));

/** @type {string[]} */
const problems = [];
const renderer = new Renderer(canvas, (where, error) => {
  problems.push(`${where}: ${error}`);
  console.error(where, error);
}, { smooth: false });

/** Which shots brought permanent objects, or began anew: any picture has those that came before it. */
const lasting = shots.flatMap(({ picture }, index) => {
  if (picture === null || typeof picture === 'string') return [];
  const objects = picture.objects.filter((object) => object.permanent || object.object_type === 'removed');
  return objects.length > 0 || picture.reset ? [{ index, objects, reset: picture.reset }] : [];
});

/** @param {number} index @returns {GameObject[]} */
function permanent(index) {
  /** @type {Map<string, GameObject>} */
  const found = new Map();
  for (const each of lasting) {
    if (each.index > index) break;
    if (each.reset) found.clear();
    decode(each.objects);
    for (const object of each.objects) {
      if (object.object_type === 'removed') found.delete(object.uuid);
      else found.set(object.uuid, object);
    }
  }
  return [...found.values()];
}

/** Pixels are text in this file, and bytes for the renderer. @param {GameObject[]} objects */
function decode(objects) {
  for (const object of objects) {
    const pixels = /** @type {unknown} */ (object.pixels);
    if (typeof pixels === 'string') object.pixels = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
  }
}

/** @param {unknown} value */
const said = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** @param {Record<string, unknown>} by */
const byPlayer = (by) => Object.entries(by).map(([player, value]) => `${player}: ${said(value)}`).join('   ');

/** What a participant was shown, with guesses underlined. @param {NonNullable<Shot['seen']>} seen */
function tell(seen) {
  const lines = seen.map(({ shown, guessed, corrected }) => {
    const line = document.createElement('div');
    shown.forEach((action, seat) => {
      const part = document.createElement('span');
      part.textContent = `${film.players[seat]}: ${said(action)}`;
      part.className = guessed.includes(seat) ? 'guess' : '';
      line.append(part, '   ');
    });
    if (guessed.length > 0) line.append(corrected ? '(a guess, corrected)' : '(a guess)');
    else if (corrected) line.append('(corrected)');
    return line;
  });
  element('seen').replaceChildren(...(lines.length > 0 ? lines : ['not shown']));
}

let current = -1;

/** @param {number} wanted */
function show(wanted) {
  const index = Math.min(Math.max(0, wanted), shots.length - 1);
  const shot = shots[index];
  if (shot === undefined || index === current) return;
  current = index;
  slider.value = String(index);
  const { picture } = shot;
  canvas.hidden = picture === null || typeof picture === 'string';
  array.hidden = typeof picture !== 'string';
  element('none').hidden = picture !== null;
  if (typeof picture === 'string') array.src = picture;
  else if (picture !== null) {
    decode(picture.objects);
    const moving = picture.objects.filter((object) => !object.permanent);
    renderer.show({ objects: [...permanent(index), ...moving], reset: true }, 0, 0, false);
  }
  element('episode').textContent = String(shot.episode);
  element('frame').textContent = String(shot.frame);
  element('score').textContent = shot.score === null ? '–' : said(shot.score);
  element('rewards').textContent = byPlayer(shot.rewards);
  if (film.seenBy !== null) tell(shot.seen ?? []);
  element('actions').textContent = shot.actions.map((action, seat) => `${film.players[seat]}: ${said(action)}`).join('   ');
}

const nextPicture = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

/** The picture of a shot as a PNG, in the world's own size. @param {number} index */
async function png(index) {
  show(index);
  await nextPicture();
  return canvas.toDataURL('image/png');
}

let playing = 0;
function pause() {
  clearInterval(playing);
  playing = 0;
  element('play').textContent = '▶▶';
}
function play() {
  if (current >= shots.length - 1) show(0);
  playing = setInterval(() => (current < shots.length - 1 ? show(current + 1) : pause()), 1000 / film.fps);
  element('play').textContent = '❚❚';
}

document.title = film.title;
element('title').textContent = film.title;
element('note').textContent = film.note;
for (const id of ['seen-by', 'seen']) element(id).hidden = film.seenBy === null;
element('seen-by').textContent = `seen by ${film.seenBy}`;
slider.max = String(Math.max(0, shots.length - 1));
slider.addEventListener('input', () => {
  pause();
  show(Number(slider.value));
});
element('back').addEventListener('click', () => {
  pause();
  show(current - 1);
});
element('on').addEventListener('click', () => {
  pause();
  show(current + 1);
});
element('play').addEventListener('click', () => (playing ? pause() : play()));
document.addEventListener('keydown', (event) => {
  // The slider moves by itself where it has the focus.
  if (event.target === slider) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step !== undefined) {
    pause();
    show(current + step);
  }
});
show(0);
Object.assign(window, { pycoreReplay: { shots: shots.length, show, png, problems } });
