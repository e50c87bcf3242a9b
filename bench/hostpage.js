// Runs in the interactive_gym page, whichever module it has: holds back the inputs that the other player sends, so that
// rollbacks of a wanted depth happen, and times the environment alone.
(() => {
  /** The first byte of a datagram with inputs: the page's module's, and ours. Pings pass, or they would end P2P. */
  const INPUTS = [0x01, 0xb1];
  /** Frames; 0 lets everything through. */
  let depth = 0;
  let period = 0;
  /** Own frame at the last opening. */
  let opened = 0;
  /** Whether the rollback after the last opening has been looked at. */
  let measured = true;
  const waiting = [];
  const own = Object.getOwnPropertyDescriptor(RTCDataChannel.prototype, 'onmessage');
  const datagrams = { sent: 0, received: 0 };
  const { send } = RTCDataChannel.prototype;

  const release = () => {
    for (const [channel, take, event] of waiting.splice(0)) take.call(channel, event);
  };

  // Both modules keep the same list in the same words. The oldest of the inputs that came at the last opening decides.
  const lastDepth = (game) => {
    const { events } = game.sessionMetrics.rollbacks;
    const found = events.filter((event) => event.currentFrame >= opened).map((event) => event.currentFrame - event.frame);
    return found.length === 0 ? null : Math.max(...found);
  };

  // The period is not the depth: one page is a frame ahead of the other. So it follows what really happened.
  const due = (game) => {
    if (game.frameNumber > opened && !measured) {
      measured = true;
      const found = lastDepth(game);
      if (found !== null) period = Math.min(depth + 3, Math.max(depth - 3, period + depth - found));
    }
    return game.frameNumber - opened >= period;
  };

  RTCDataChannel.prototype.send = function counted(data) {
    send.call(this, data);
    datagrams.sent += 1;
  };

  Object.defineProperty(RTCDataChannel.prototype, 'onmessage', {
    ...own,
    set(handler) {
      own.set.call(this, handler && function held(event) {
        const game = window.game;
        datagrams.received += 1;
        if (depth === 0 || !game || !(event.data instanceof ArrayBuffer) || !INPUTS.includes(new Uint8Array(event.data)[0])) {
          handler.call(this, event);
          return;
        }
        waiting.push([this, handler, event]);
        if (!due(game)) return;
        opened = game.frameNumber;
        measured = false;
        release();
      });
    },
  });

  window.bench = {
    datagrams,

    /** @param {number} frames 0 lets go what is held, and all that follows */
    hold(frames) {
      period = depth = frames;
      opened = window.game.frameNumber;
      measured = true;
      if (depth === 0) release();
    },

    /** @param {string} key */
    press(key) {
      document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    },

    /** @param {string} options of the environment's make(), as Python writes them @returns {number[]} µs per step */
    environment(options) {
      return JSON.parse(window.game.pyodide.runPython(`
def _measure():
    import json, random, time
    before = random.getstate()
    env = make(**${options})
    env.reset(seed=1)
    actions = [{0: 1 + n % 4, 1: 4 - n % 4} for n in range(1000)]
    taken = []
    for _ in range(9):
        start = time.perf_counter()
        for given in actions:
            env.step(given)
        taken.append((time.perf_counter() - start) * 1e6 / len(actions))
    random.setstate(before)
    return json.dumps(taken)
_measure()
`));
    },
  };
})();
