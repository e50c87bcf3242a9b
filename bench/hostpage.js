// Runs in the interactive_gym page, whichever module it has: holds back the inputs that the other player sends, so that
// rollbacks of a wanted depth happen, notes when datagrams came and went, and times the environment alone.
(() => {
  /** The first byte of a datagram with inputs: the page's module's, and ours. Pings pass, or they would end P2P. */
  const INPUTS = [0x01, 0xb4];
  /** Frames; 0 lets everything through. */
  let depth = 0;
  let period = 0;
  /** Own frame at the last opening. */
  let opened = 0;
  /** Whether the rollback after the last opening has been looked at. */
  let measured = true;
  const waiting = [];
  const own = Object.getOwnPropertyDescriptor(RTCDataChannel.prototype, 'onmessage');
  /** Each of them: when it was sent or came, by `clock`, and its mark. @type {{sent: number[][], received: number[][]}} */
  const datagrams = { sent: [], received: [] };
  const { send } = RTCDataChannel.prototype;

  /** Milliseconds since the epoch: the same for all pages of a machine, and in no page does it go back. */
  const clock = (at = performance.now()) => performance.timeOrigin + at;

  /** What tells one datagram from others (FNV-1a): so the two pages can be compared. @param {any} data */
  const mark = (data) => {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data)
      : ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    let found = 0x811c9dc5;
    for (const byte of bytes) found = Math.imul(found ^ byte, 0x01000193);
    return found >>> 0;
  };

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
    datagrams.sent.push([clock(), mark(data)]);
  };

  Object.defineProperty(RTCDataChannel.prototype, 'onmessage', {
    ...own,
    set(handler) {
      own.set.call(this, handler && function held(event) {
        const game = window.game;
        datagrams.received.push([clock(), mark(event.data)]);
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
    clock,

    /**
     * The marks of the datagrams that were sent, or received, in a time.
     *
     * @param {'sent' | 'received'} way
     * @param {number} since
     * @param {number} [until]
     */
    datagrams(way, since, until = Infinity) {
      return datagrams[way].filter(([at]) => since <= at && at < until).map(([, found]) => found);
    },

    /**
     * Draw from Chromium's generator of losses, one number for each datagram of the page to itself. It begins with the
     * same seed in every page, so without this all games would lose the same datagrams.
     *
     * @param {number} count
     */
    async draw(count) {
      const pair = [new RTCPeerConnection(), new RTCPeerConnection()];
      const channel = pair[0].createDataChannel('draw', { ordered: false, maxRetransmits: 0 });
      const opened = new Promise((resolve) => channel.addEventListener('open', resolve));
      for (const [own, other] of [pair, [...pair].reverse()]) {
        await own.setLocalDescription();
        while (own.iceGatheringState !== 'complete') await new Promise((resolve) => void setTimeout(resolve, 5));
        await other.setRemoteDescription(own.localDescription);
      }
      await opened;
      for (let drawn = 0; drawn < count; drawn += 1) {
        send.call(channel, new Uint8Array(1));
        await new Promise((resolve) => void setTimeout(resolve, 4)); // what is sent together goes in one packet
      }
      for (const connection of pair) connection.close();
    },

    /** When the last frame was stepped. @returns {number} */
    lastStep() {
      return clock(window.rig.log.findLast((entry) => entry.stepped)?.at ?? 0);
    },

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
