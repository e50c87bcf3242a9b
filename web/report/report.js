// @ts-check
// Draws the curves of a report with uPlot: those of a game when it is opened, in the colours of the page's scheme.
'use strict';

(() => {
  /** @typedef {{share: number, seconds: number[], values: Record<string, (number | null)[]>}} Curves */
  /** @typedef {[title: string, unit: string, series: [name: string, label: string][]]} Chart */
  /** @typedef {{destroy(): void, setSize(size: {width: number, height: number}): void}} Plot */
  /** @type {{charts: Chart[], curves: Record<string, Curves>}} */
  const data = JSON.parse(document.getElementById('data')?.textContent ?? '{"charts": [], "curves": {}}');
  const HEIGHT = 150;
  /** Pixels; two of them stand beside each other on A4. */
  const PRINTED = 330;
  /** @type {new (options: object, data: (number | null)[][], target: Element) => Plot} */
  const UPlot = /** @type {any} */ (window).uPlot;
  /** @type {Map<Element, {place: Element, plot: Plot}[]>} */
  const drawn = new Map();
  let printing = false;

  /** @param {string} name */
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /** @param {Element} place */
  const width = (place) => (printing ? PRINTED : Math.max(200, place.clientWidth));

  /** @param {Element} place @param {Chart} chart @param {Curves} curves @param {string} key */
  function plot(place, [, unit, series], curves, key) {
    const axis = () => ({ stroke: colour('quiet'), grid: { stroke: colour('line'), width: 1 }, ticks: { stroke: colour('line'), width: 1 } });
    return new UPlot(
      {
        width: width(place),
        height: HEIGHT,
        cursor: { sync: { key }, y: false },
        scales: { x: { time: false } },
        axes: [{ ...axis(), size: 32, values: (/** @type {unknown} */ _, /** @type {number[]} */ at) => at.map((each) => `${each} s`) }, { ...axis(), size: 50 }],
        series: [
          { label: 'second' },
          ...series.map(([, label], index) => ({ label: `${label}, ${unit}`, stroke: colour(index ? 'second' : 'first'), width: 1.5, points: { show: curves.seconds.length < 3 } })),
        ],
      },
      [curves.seconds, ...series.map(([name]) => curves.values[name] ?? [])],
      place,
    );
  }

  /** @param {Element} target The place of one player's charts. */
  function draw(target) {
    const key = target.getAttribute('data-curves') ?? '';
    const curves = data.curves[key];
    if (!curves) return;
    const made = [];
    for (const chart of data.charts) {
      if (chart[2].every(([name]) => (curves.values[name] ?? []).every((each) => each === null))) continue;
      const place = document.createElement('div');
      place.className = 'chart';
      const title = document.createElement('h4');
      title.textContent = `${chart[0]}, ${chart[1]}`;
      place.append(title);
      target.append(place);
      made.push({ place, chart });
    }
    // The grid has its columns once all of them are in it.
    drawn.set(target, made.map(({ place, chart }) => ({ place, plot: plot(place, chart, curves, key) })));
  }

  /** @param {Element} target */
  function erase(target) {
    for (const { plot: each } of drawn.get(target) ?? []) each.destroy();
    drawn.delete(target);
    target.replaceChildren();
  }

  function redraw() {
    for (const target of [...drawn.keys()]) {
      erase(target);
      draw(target);
    }
  }

  /** @param {boolean} begins */
  function print(begins) {
    if (printing === begins) return;
    printing = begins;
    document.documentElement.toggleAttribute('data-printing', begins);
    redraw();
  }

  for (const game of document.querySelectorAll('details.game')) {
    const open = () => {
      if (!(/** @type {HTMLDetailsElement} */ (game).open)) return;
      for (const target of game.querySelectorAll('.charts')) if (!drawn.has(target)) draw(target);
    };
    game.addEventListener('toggle', open);
    open();
  }
  // The link of a row leads to a game, which has to be open to be seen.
  const show = () => {
    const game = document.getElementById(location.hash.slice(1));
    if (game instanceof HTMLDetailsElement) game.open = true;
  };
  window.addEventListener('hashchange', show);
  show();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  window.addEventListener('beforeprint', () => print(true));
  window.addEventListener('afterprint', () => print(false));
  matchMedia('print').addEventListener('change', (query) => print(query.matches));
  let before = window.innerWidth;
  window.addEventListener('resize', () => {
    if (printing || window.innerWidth === before) return;
    before = window.innerWidth;
    for (const made of drawn.values()) for (const { place, plot: each } of made) each.setSize({ width: width(place), height: HEIGHT });
  });
})();
