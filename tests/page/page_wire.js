// Runs in the page before its own scripts, in browsers whose driver hears no web socket and shapes no network: notes
// the frames that cross the page's web sockets, and delays and loses what it sends by data channels.
(() => {
  /** way, text or null, bytes, ms @type {['out' | 'in', string | null, number, number][]} */
  let frames = [];
  const encoder = new TextEncoder();
  let latency = 0;
  let loss = 0;

  const note = (way, data) => {
    const text = typeof data === 'string' ? data : null;
    const size = text === null ? data.byteLength ?? data.size : encoder.encode(text).length;
    frames.push([way, text, size, performance.timeOrigin + performance.now()]);
  };

  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...parts) {
      super(...parts);
      this.addEventListener('message', ({ data }) => note('in', data));
    }

    send(data) {
      note('out', data);
      super.send(data);
    }
  };

  const channel = window.RTCDataChannel.prototype;
  const { send } = channel;
  channel.send = function (data) {
    if (this.readyState === 'open' && Math.random() < loss) return;
    if (latency === 0 || this.readyState !== 'open') {
      send.call(this, data);
      return;
    }
    // A sender may write its next datagram into the same bytes.
    const copy = typeof data === 'string' ? data : data.slice();
    setTimeout(() => {
      if (this.readyState === 'open') send.call(this, copy);
    }, latency);
  };

  window.wire = {
    take() {
      const taken = frames;
      frames = [];
      return taken;
    },
    shape(milliseconds, probability) {
      latency = milliseconds;
      loss = probability;
    },
  };
})();
