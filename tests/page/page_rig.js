// Runs in the real page before its own scripts: notes what every step was given and gave, what reset gave, and when the
// page stood still; and can play by a seeded script, or go to where it is told to be.
(() => {
  const log = [];
  const failures = [];
  /** What steps gave, each way once, and what resets gave. */
  const shapes = new Set();
  const resets = [];
  /** From when to when the page did nothing at all, ms since the epoch. */
  const pauses = [];
  const PAUSE = 250;
  /** @type {null | {next: () => number, keys: string[], chance: number, held: string | null}} */
  let player = null;
  /** @type {null | {places: [number, number, number][], held: string | null}} */
  let walker = null;
  /** @type {null | string} */
  let ending = null;
  let wrapped = null;

  const generator = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  const press = (type, key) => document.dispatchEvent(new KeyboardEvent(type, { key, bubbles: true }));

  // After each tick, so that what is pressed depends on the seed and on the number of ticks, not on the time.
  const decide = () => {
    if (player === null || player.next() >= player.chance) return;
    const key = player.keys[Math.floor(player.next() * (player.keys.length + 1))] ?? null;
    if (player.held !== null) press('keyup', player.held);
    if (key !== null) press('keydown', key);
    player.held = key;
  };

  // By what the environment says after each step, so that the place is reached, and kept, however late ticks are.
  const NEAR = 2;
  const walk = (game, result) => {
    const info = result?.[4].get(game.myPlayerId);
    if (walker === null || info === undefined) return;
    const now = [game.num_episodes, game.frameNumber];
    const place = walker.places.findLast(([episode, frame]) => episode < now[0] || (episode === now[0] && frame <= now[1]));
    const off = place === undefined ? 0 : info.x - place[2];
    const key = Math.abs(off) <= NEAR ? null : off < 0 ? 'ArrowRight' : 'ArrowLeft';
    if (key === walker.held) return;
    if (walker.held !== null) press('keyup', walker.held);
    if (key !== null) press('keydown', key);
    walker.held = key;
  };

  const kind = (value) => (value === null ? 'null' : value?.constructor?.name ?? typeof value);

  const wrap = (game) => {
    const { step, reset } = game;
    game.reset = async (...parts) => {
      if (ending !== null) press('keyup', ending);
      ending = null;
      const result = await reset.apply(game, parts);
      resets.push(kind(result));
      return result;
    };
    game.step = async function (actions) {
      const me = game.myPlayerId;
      const entry = {
        episode: game.num_episodes,
        frame: game.frameNumber,
        step: game.step_num,
        action: me === undefined ? null : actions[String(me)],
        actions: { ...actions },
        at: performance.now(),
        hidden: document.hidden,
      };
      log.push(entry);
      try {
        const result = await step.call(game, actions);
        entry.stepped = result !== null;
        walk(game, result);
        if (result !== null) shapes.add(result.map(kind).join(' '));
        return result;
      } catch (error) {
        entry.error = String(error);
        failures.push(String(error));
        throw error;
      } finally {
        entry.ms = performance.now() - entry.at;
        decide();
      }
    };
  };

  const now = () => performance.timeOrigin + performance.now();
  let seen = now();
  setInterval(() => {
    if (now() - seen > PAUSE) pauses.push({ from: seen, to: now() });
    seen = now();
    const game = window.game;
    if (game && game !== wrapped && typeof game.step === 'function') {
      wrapped = game;
      wrap(game);
    }
  }, 20);

  window.rig = {
    log,
    failures,
    pauses,
    resets,
    get shapes() {
      return [...shapes];
    },
    play(seed, keys, chance) {
      player = { next: generator(seed), keys, chance, held: null };
    },
    walk(places) {
      walker = { places, held: null };
    },
    end(key) {
      press('keydown', key);
      ending = key;
    },
    rest() {
      if (player !== null && player.held !== null) press('keyup', player.held);
      player = null;
    },
    setHidden(hidden) {
      const state = hidden ? 'hidden' : 'visible';
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    },
  };
})();
