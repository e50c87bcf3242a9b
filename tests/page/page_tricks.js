// Runs in the real page after page_rig.js, for tests of what goes wrong: it loses and holds back what crosses the
// page's web socket, breaks WebRTC, and looks at the picture that the page has just drawn.
(() => {
  const tricks = {
    /** Nothing crosses the web socket and the data channels in either direction, and no connection is closed by it. */
    stalled: false,
    /** @type {{name: string, part: 'request' | 'answer', after: number} | null} of this name, the one after so many is lost */
    lose: null,
    lost: [],
    /** What RTCPeerConnections were made with. */
    peers: [],
    noPeers: false,
    /** Of every so many pictures one is looked at. */
    every: 1,
    samples: [],
  };
  window.tricks = tricks;

  const NativeSocket = window.WebSocket;
  window.WebSocket = class extends NativeSocket {
    #out = [];
    #in = [];
    #losing = 0;
    #ack = null;

    constructor(...parts) {
      super(...parts);
      setInterval(() => this.#flush(), 20);
    }

    #flush() {
      if (tricks.stalled) return;
      for (const data of this.#out.splice(0)) super.send(data);
      for (const [handler, event] of this.#in.splice(0)) handler.call(this, event);
    }

    send(data) {
      if (this.#losing > 0 && typeof data !== 'string') {
        this.#losing -= 1;
        return;
      }
      const found = typeof data === 'string' ? /^4[25](?:(\d+)-)?(\d+)\["(\w+)"/.exec(data) : null;
      if (found !== null && found[3] === tricks.lose?.name && tricks.lose.after-- === 0) {
        tricks.lost.push(`${tricks.lose.part} of ${found[3]}`);
        if (tricks.lose.part === 'request') this.#losing = Number(found[1] ?? 0);
        else this.#ack = `43${found[2]}[`;
        tricks.lose = null;
        if (this.#losing > 0) return;
      }
      if (tricks.stalled || this.#out.length > 0) this.#out.push(data);
      else super.send(data);
    }

    set onmessage(handler) {
      super.onmessage = (event) => {
        if (this.#ack !== null && typeof event.data === 'string' && event.data.startsWith(this.#ack)) {
          this.#ack = null;
          return;
        }
        if (tricks.stalled || this.#in.length > 0) this.#in.push([handler, event]);
        else handler.call(this, event);
      };
    }

    get onmessage() {
      return super.onmessage;
    }
  };

  const NativePeer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends NativePeer {
    constructor(configuration, ...more) {
      tricks.peers.push(JSON.parse(JSON.stringify(configuration ?? null)));
      if (tricks.noPeers) throw new DOMException('no peer connection here, as it was told to', 'NotSupportedError');
      super(configuration, ...more);
    }
  };

  const channel = window.RTCDataChannel.prototype;
  const { send } = channel;
  channel.send = function (data) {
    if (!tricks.stalled) send.call(this, data);
  };
  const onmessage = Object.getOwnPropertyDescriptor(channel, 'onmessage');
  Object.defineProperty(channel, 'onmessage', {
    ...onmessage,
    set(handler) {
      onmessage.set.call(this, handler && ((event) => {
        if (!tricks.stalled) handler.call(this, event);
      }));
    },
  });

  const hex = (pixel) => `#${[...pixel.slice(0, 3)].map((value) => value.toString(16).padStart(2, '0')).join('')}`;

  const look = (scene) => {
    const objects = {};
    for (const [name, object] of scene.objectMap) {
      const { color } = object.lastConfig ?? {};
      objects[name] = { x: object.x, y: object.y, text: object.text ?? null, color: color ?? null };
    }
    return objects;
  };

  const pixels = (scene, columns, rows) => {
    const context = scene.canvas.getContext('2d');
    const width = scene.width / columns;
    const height = scene.height / rows;
    const found = [];
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        found.push(hex(context.getImageData((column + 0.5) * width, (row + 0.5) * height, 1, 1).data));
      }
    }
    return found;
  };

  /** The last picture that the page was given; it draws a few at a time, and may be behind. */
  let given = null;
  const follow = (game) => {
    for (const [name, at] of [['step', 5], ['reset', 2]]) {
      const method = game[name];
      game[name] = async (...parts) => {
        const results = await method.apply(game, parts);
        if (results !== null) given = results[at];
        return results;
      };
    }
  };

  let count = 0;
  const sample = (scene) => {
    const { game } = window;
    if (scene.state !== given) return;
    if (game?.core?.phase !== 'playing' || game.isProcessingTick || game.shouldReset || game.state === 'done') return;
    count += 1;
    if (count % tricks.every !== 0) return;
    const shown = JSON.parse(game.pyodide.runPython('import json; json.dumps(env.shown())'));
    tricks.samples.push({
      episode: game.num_episodes,
      frame: game.frameNumber,
      hud: document.getElementById('hudText').textContent,
      objects: look(scene),
      pixels: shown.image ? pixels(scene, shown.image[0].length, shown.image.length) : null,
      shown,
    });
  };

  const watched = new WeakSet();
  setInterval(() => {
    const { game } = window;
    if (game && typeof game.step === 'function' && !watched.has(game)) {
      watched.add(game);
      follow(game);
    }
    const scene = window._phaserScene;
    if (!scene || watched.has(scene)) return;
    watched.add(scene);
    scene.game.events.on('postrender', () => sample(scene));
  }, 20);
})();
