// Runs in Chromium beside the site's own modules: the tick and the picture as the page has them.
import { load } from './core/loader.js';
import { Bridge, DATAGRAM, EVENT, NO_LINK, OUT_DATAGRAM, OUT_EMIT, PHASES, encodeAction, readOutbox } from './core/bridge.js';

const TICKS = 2000;
const RUNS = 9;
/** Of the paced ticks: so many, a period of 30 frames per second apart, as a page has them. */
const PACED = 200;
const PERIOD_MS = 33;
/** Ticks of 60 a second from one store of what is recorded to the next. */
const TAKEN = 300;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A simulation that costs next to nothing: what is left is the core's own work. */
const TRIVIAL = `
from pycore.values import canonical

class Trivial:
    def __init__(self):
        self.state = (0, 0)
    def reset(self, episode):
        self.state = (0, episode)
    def save(self):
        return self.state
    def load(self, state):
        self.state = state
    def step(self, actions):
        a, b = actions
        frame, total = self.state
        self.state = (frame + 1, (total + a + b) & 65535)
    def canonical(self, state):
        return canonical.encode(state)
Trivial
`;

/** Two sessions of one page, each the other's peer; datagrams go straight from outbox to inbox. */
class Pair {
  constructor(create, makeEnvironment, settings) {
    this.now = 100;
    this.bridges = [0, 1].map((seat) => new Bridge(create(JSON.stringify({
      game_id: 'bench', players: [0, 1], player_id: seat, seed: 1, wall_ms: 0, now: this.now, settings,
    }), makeEnvironment()), 1));
    this.open = -1;
  }

  /** One tick of one session: exactly what core/game.js does, but for drawing. */
  tick(seat, action) {
    const bridge = this.bridges[seat];
    const other = this.bridges[1 - seat];
    const used = bridge.inbox.seal(true, false, () => this.open);
    const length = bridge.poll(this.now, encodeAction(action), used);
    bridge.inbox.consumed();
    readOutbox(bridge.outbox, length, (kind, link, seq, payload) => {
      if (kind === OUT_DATAGRAM) other.inbox.put(DATAGRAM, link, this.now, payload);
      else if (kind === OUT_EMIT) {
        const { event, data } = JSON.parse(decoder.decode(payload));
        if (event === 'webrtc_signal' && data.type === 'pycore') {
          const signal = { event, data: { type: 'pycore', from_player_id: seat, game_id: 'bench', payload: data.payload } };
          other.inbox.put(EVENT, NO_LINK, this.now, encoder.encode(JSON.stringify(signal)));
        }
      }
    });
    return bridge.advance(this.now);
  }

  /** Both sessions once; the actions are held, so that nothing has to be rolled back. */
  both(frame) {
    this.tick(0, 1);
    this.tick(1, 2);
    this.now += 1 / 60;
  }

  begin() {
    this.open = 0;
    for (let i = 0; i < 300; i += 1) {
      this.both();
      if (this.bridges.every((bridge) => bridge.phase === 'playing')) return;
    }
    throw new Error(`the sessions did not begin: ${this.bridges.map((bridge) => bridge.phase)}`);
  }

  close() {
    for (const bridge of this.bridges) bridge.close();
  }
}

/** What it takes to take away what is to be stored, each time, ms. */
const takes = [];

/** One run of both sessions, µs a tick; what they keep is taken away to be stored, as often as a page does. */
function run(pair) {
  const frame = pair.bridges[0].frame;
  const before = performance.now();
  for (let i = 0; i < TICKS; i += 1) {
    pair.both();
    if (i % TAKEN > 0) continue;
    for (const bridge of pair.bridges) {
      const start = performance.now();
      bridge.call('take_stores', pair.now);
      takes.push(performance.now() - start);
    }
  }
  const found = ((performance.now() - before) * 1000) / (2 * TICKS);
  if (pair.bridges[0].frame - frame !== TICKS) throw new Error('a run stalled');
  return found;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** What a tick takes when the machine has slept before it, as between two ticks of a page, µs each. */
async function rested(pair) {
  const found = [];
  for (let i = 0; i < PACED; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    const before = performance.now();
    pair.tick(0, 1);
    found.push((performance.now() - before) * 1000);
    pair.tick(1, 2);
    pair.now += 1 / 60;
  }
  return found;
}

const SETTINGS = {
  fps: 60, input_delay: 1, max_steps: 1000000, hash_interval: 60, action_space: { type: 'discrete', n: 6 },
};

const loaded = () => load(() => {}, (warning) => { throw new Error(warning); });

/** What one picture of the volley takes, from the environment to the page's objects, µs. */
function rendered(create, makeEnvironment) {
  const volley = new Pair(create, makeEnvironment, { ...SETTINGS, fps: 30 });
  volley.begin();
  const pictures = [];
  for (let n = 0; n < RUNS; n += 1) {
    for (let i = 0; i < 30; i += 1) volley.both();
    const before = performance.now();
    for (let i = 0; i < 200; i += 1) JSON.parse(volley.bridges[0].read('render'));
    pictures.push(((performance.now() - before) * 1000) / 200);
  }
  volley.close();
  return median(pictures);
}

/** Until browsers have compiled once more, beside the page, what has run often, ms. */
const COMPILED_MS = 1000;

/** The picture alone, of a page that has drawn for a while, as in `measure`. */
export async function picture() {
  const { create, makeEnvironment } = await loaded();
  rendered(create, makeEnvironment);
  await new Promise((resolve) => setTimeout(resolve, COMPILED_MS));
  return rendered(create, makeEnvironment);
}

export async function measure() {
  const { pyodide, create, makeEnvironment } = await loaded();
  const trivial = pyodide.runPython(TRIVIAL);
  const pair = new Pair(create, () => trivial(), SETTINGS);
  pair.begin();
  for (let i = 0; i < 500; i += 1) pair.both();
  // In turns, so that whatever else the machine does befalls both.
  const blind = new Pair(create, () => trivial(), { ...SETTINGS, experienced: false });
  blind.begin();
  for (let i = 0; i < 500; i += 1) blind.both();
  const ticks = [];
  const added = [];
  const stores = [];
  for (let i = 0; i < RUNS; i += 1) {
    const without = run(blind);
    takes.length = 0;
    ticks.push(run(pair));
    stores.push(median(takes));
    added.push(ticks[i] - (without + run(blind)) / 2);
  }
  blind.close();
  const paced = await rested(pair);
  const metrics = JSON.parse(pair.bridges[0].read('export_session_metrics'));
  pair.close();

  return {
    tick_us: median(ticks),
    experienced_us: median(added),
    store_ms: median(stores),
    paced_us: median(paced),
    render_us: rendered(create, makeEnvironment),
    rollbacks: metrics.rollbacks.count,
    sent: metrics.inputs,
  };
}
