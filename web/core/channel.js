// @ts-check
/**
 * One RTCPeerConnection and two data channels per link, doing what Python commands and telling what happens.
 *
 * Roles, glare, restarts, time limits and what to send are Python's. This file turns commands into calls of
 * the WebRTC interface and its events into happenings. Commands of one link run one after another, since
 * `setRemoteDescription` and its like are asynchronous and their order is the order of the negotiation; only
 * `connect` acts at once, and what was queued for the connection before it is dropped.
 *
 * One channel is for datagrams, which may be lost; the other, the stream's, is reliable. Both sides make that one with
 * the connection, under a number that is agreed, and nothing is told of it: Python reads its state, and has another way.
 *
 * Every happening carries the generation of the connection it belongs to, so that Python can tell the late
 * words of an old connection from those of the new one.
 *
 * Codes of `error` happenings (`cause`: SCTP's own number): the command's name (`connect`, `offer`, `accept`, `candidate`, `channel`),
 * `ice-candidate` (a STUN or TURN server did not answer; its own number in the message),
 * `data-channel`, `stream` (of the reliable one), `stats`, `stale` (a command for a connection that is gone), `unknown-command`.
 */

import { guard, describe } from './errors.js';
import { CHANNEL, STREAM } from './handed.js';
import { makeConnection } from './webrtc.js';

/** States in the inbox header; from 0 up it is open, with so much in its buffer. */
export const CONNECTING = -1;
export const CLOSED = -2;
export const FAILED = -3;

/**
 * @typedef {object} Command
 * @property {number} link
 * @property {'connect' | 'offer' | 'accept' | 'candidate' | 'channel'} command
 * @property {number} generation
 * @property {boolean} [channel] with connect: create the data channel too
 * @property {boolean} [restart] with offer: restart ICE
 * @property {RTCConfiguration} [ice]
 * @property {RTCSessionDescriptionInit} [description]
 * @property {RTCIceCandidateInit | null} [candidate]
 */

/**
 * @typedef {object} Happening
 * @property {number} link
 * @property {'channel-open' | 'channel-closed' | 'connection-state' | 'local-description' | 'candidate' | 'type'
 *   | 'error'} what
 * @property {unknown} value
 * @property {number} generation
 */

/**
 * @typedef {object} Duties what the owner provides
 * @property {(happening: Happening) => void} happened
 * @property {(link: number, data: Uint8Array, streamed: boolean) => void} received stamps it and puts it into the inbox
 * @property {import('./errors.js').Report} report for failures of the callbacks themselves
 */

/** The connection to one remote seat. */
class Link {
  generation = 0;
  /** @type {RTCPeerConnection | null} */ connection = null;
  /** @type {RTCDataChannel | null} */ channel = null;
  /** @type {RTCDataChannel | null} */ stream = null;
  /** Whether the connection was closed by command. */
  ended = false;
  /** @type {Promise<void>} */ queue = Promise.resolve();
  statsTimer = 0;

  /** @param {number} index @param {Duties} duties */
  constructor(index, duties) {
    this.index = index;
    this.duties = duties;
  }

  /** The number for the inbox header. */
  get state() {
    return this.#stateOf(this.channel);
  }

  /** The same of the stream's channel. */
  get streamState() {
    return this.#stateOf(this.stream);
  }

  /** @param {RTCDataChannel | null} channel */
  #stateOf(channel) {
    if (this.connection?.connectionState === 'failed') return FAILED;
    switch (channel?.readyState) {
      case 'open':
        return channel.bufferedAmount;
      case 'closing':
      case 'closed':
        return CLOSED;
      default:
        return this.ended ? CLOSED : CONNECTING;
    }
  }

  /** @param {Happening['what']} what @param {unknown} value @param {number} [generation] */
  tell(what, value, generation = this.generation) {
    this.duties.happened({ link: this.index, what, value, generation });
  }

  /** @param {string} code @param {unknown} error @param {number} [generation] */
  tellError(code, error, generation = this.generation) {
    const { code: name, message } = describe(error);
    const { sctpCauseCode: cause = null } = /** @type {any} */ (error ?? {});
    this.tell('error', { code, message: name === 'Error' ? message : `${name}: ${message}`, cause }, generation);
  }

  /** @param {Command} command */
  execute(command) {
    const { generation } = command;
    if (command.command === 'connect') {
      try {
        this.#connect(command);
      } catch (error) {
        this.tellError(command.command, error, generation);
      }
      return;
    }
    const connection = this.connection;
    if (connection === null || generation !== this.generation) {
      this.tellError('stale', new Error(
        `${command.command} for generation ${generation}; the connection is of generation ${this.generation}`), generation);
      return;
    }
    this.queue = this.queue.then(async () => {
      if (connection !== this.connection) return;
      try {
        await this.#negotiate(connection, command);
      } catch (error) {
        this.tellError(command.command, error, generation);
      }
    });
  }

  /** @param {RTCPeerConnection} connection @param {Command} command */
  async #negotiate(connection, command) {
    switch (command.command) {
      case 'offer':
        await connection.setLocalDescription(await connection.createOffer({ iceRestart: command.restart === true }));
        this.#tellDescription(connection, command.generation);
        break;
      case 'accept':
        if (!command.description) throw new Error('no description in the command');
        await connection.setRemoteDescription(command.description);
        if (command.description.type === 'offer') {
          await connection.setLocalDescription(await connection.createAnswer());
          this.#tellDescription(connection, command.generation);
        }
        break;
      case 'candidate':
        // null and the empty candidate say that there are no more; not every browser takes the null.
        if (command.candidate?.candidate) await connection.addIceCandidate(command.candidate);
        break;
      case 'channel':
        this.#createChannel(connection);
        break;
      default:
        this.tellError('unknown-command', new Error(String(command.command)), command.generation);
    }
  }

  /** @param {RTCPeerConnection} connection @param {number} generation */
  #tellDescription(connection, generation) {
    const description = connection.localDescription;
    if (description && connection === this.connection) {
      this.tell('local-description', { type: description.type, sdp: description.sdp }, generation);
    }
  }

  /** @param {Command} command */
  #connect(command) {
    this.close();
    const { generation } = command;
    this.generation = generation;
    this.ended = false;
    const connection = makeConnection(command.ice);
    this.connection = connection;
    /** @param {string} where @param {(event: any) => unknown} callback */
    const on = (where, callback) => guard(this.duties.report, `channel.${where}`, callback);

    connection.onicecandidate = on('icecandidate', (/** @type {RTCPeerConnectionIceEvent} */ event) => {
      this.tell('candidate', event.candidate?.toJSON() ?? null, generation);
    });
    connection.onicecandidateerror = on('icecandidateerror', (/** @type {RTCPeerConnectionIceErrorEvent} */ event) => {
      this.tellError('ice-candidate', new Error(`${event.errorCode} ${event.errorText} (${event.url})`), generation);
    });
    connection.onconnectionstatechange = on('connection-state', () => {
      this.tell('connection-state', connection.connectionState, generation);
      if (connection.connectionState === 'connected') this.#watchType(connection, generation);
    });
    connection.ondatachannel = on('datachannel', (/** @type {RTCDataChannelEvent} */ event) => {
      this.#attach(event.channel, generation, connection);
    });
    this.#openStream(connection);
    if (command.channel === true) this.#createChannel(connection);
  }

  /** Both sides do, so that none waits for the other's word. @param {RTCPeerConnection} connection */
  #openStream(connection) {
    const stream = connection.createDataChannel(STREAM.label, STREAM.options);
    const { report } = this.duties;
    this.stream = stream;
    stream.binaryType = 'arraybuffer';
    stream.onerror = guard(report, 'channel.stream', (/** @type {RTCErrorEvent} */ event) => {
      if (this.stream === stream) this.tellError('stream', event.error);
    });
    stream.onmessage = guard(report, 'channel.chunk', (/** @type {MessageEvent<ArrayBuffer>} */ { data }) => {
      this.duties.received(this.index, new Uint8Array(data), true);
    });
  }

  /** @param {RTCPeerConnection} connection */
  #createChannel(connection) {
    this.#attach(connection.createDataChannel(CHANNEL.label, CHANNEL.options), this.generation, connection);
  }

  /** @param {RTCDataChannel} channel @param {number} generation @param {RTCPeerConnection} connection */
  #attach(channel, generation, connection) {
    this.#detach();
    this.channel = channel;
    channel.binaryType = 'arraybuffer';
    const { report } = this.duties;
    channel.onopen = guard(report, 'channel.open', () => this.tell('channel-open', null, generation));
    channel.onclose = guard(report, 'channel.close', () => {
      // Who closes a connection itself is told no new state of it.
      this.tell('channel-closed', connection.connectionState, generation);
    });
    channel.onerror = guard(report, 'channel.error', (/** @type {RTCErrorEvent} */ event) => {
      this.tellError('data-channel', event.error, generation);
    });
    channel.onmessage = guard(report, 'channel.message', (/** @type {MessageEvent<ArrayBuffer | string>} */ { data }) => {
      // Text is not ours (the page's own test message is); Python's decoder is the one to say so.
      const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);
      this.duties.received(this.index, bytes, false);
    });
    // A channel may be handed over already open: then there is no event any more.
    if (channel.readyState === 'open') this.tell('channel-open', null, generation);
  }

  /** Let go of the channel without hearing from it again. */
  #detach() {
    const channel = this.channel;
    if (channel === null) return;
    this.channel = null;
    channel.onopen = channel.onclose = channel.onerror = channel.onmessage = null;
    channel.close();
  }

  close() {
    window.clearTimeout(this.statsTimer);
    this.ended = true;
    this.#detach();
    const { stream } = this;
    this.stream = null;
    if (stream !== null) {
      stream.onerror = stream.onmessage = null;
      stream.close();
    }
    const connection = this.connection;
    this.connection = null;
    this.queue = Promise.resolve();
    if (connection === null) return;
    connection.onicecandidate = connection.onicecandidateerror = null;
    connection.onconnectionstatechange = connection.ondatachannel = null;
    connection.close();
  }

  /**
   * Ask once a second which pair of candidates carries the connection, until the answer is there.
   *
   * @param {RTCPeerConnection} connection
   * @param {number} generation
   */
  #watchType(connection, generation) {
    window.clearTimeout(this.statsTimer);
    const ask = async () => {
      if (connection !== this.connection || connection.connectionState !== 'connected') return;
      const type = connectionType(await connection.getStats());
      if (connection !== this.connection) return;
      if (type !== null) this.tell('type', type, generation);
      else this.statsTimer = window.setTimeout(guarded, CHANNEL.asked_every_ms);
    };
    const guarded = guard((_where, error) => this.tellError('stats', error, generation), 'channel.stats', ask);
    guarded();
  }
}

/**
 * Direct or through TURN, from a stats report.
 *
 * Chromium names the selected pair in the transport's entry. Firefox and Safari leave that out: there it is
 * the pair that is marked as selected, or else the nominated one that succeeded.
 *
 * @param {{forEach(callback: (entry: any) => void): void}} report an RTCStatsReport
 * @returns {{connection_type: 'direct' | 'relay', details: Record<string, string | null>} | null} null if not known yet
 */
export function connectionType(report) {
  /** @type {Map<string, any>} */
  const entries = new Map();
  report.forEach((entry) => entries.set(entry.id, entry));
  let pair = null;
  for (const entry of entries.values()) {
    if (entry.type === 'transport' && entry.selectedCandidatePairId) pair = entries.get(entry.selectedCandidatePairId);
  }
  if (!pair) {
    for (const entry of entries.values()) {
      if (entry.type !== 'candidate-pair') continue;
      if (entry.selected === true) {
        pair = entry;
        break;
      }
      if (entry.nominated === true && entry.state === 'succeeded') pair = entry;
    }
  }
  const local = pair && entries.get(pair.localCandidateId);
  const remote = pair && entries.get(pair.remoteCandidateId);
  if (!local || !remote) return null;
  const relayed = local.candidateType === 'relay' || remote.candidateType === 'relay';
  return {
    connection_type: relayed ? 'relay' : 'direct',
    details: {
      localCandidateType: local.candidateType ?? null,
      remoteCandidateType: remote.candidateType ?? null,
      protocol: local.protocol ?? null,
      relayProtocol: local.relayProtocol ?? null,
    },
  };
}

/** All links of a session. */
export class Channels {
  /** @type {Link[]} */ #links;

  /** @param {number} links @param {Duties} duties */
  constructor(links, duties) {
    this.#links = Array.from({ length: links }, (_, index) => new Link(index, duties));
    this.duties = duties;
  }

  /** @param {number} link @returns {number} */
  state(link) {
    return this.#links[link]?.state ?? CLOSED;
  }

  /** @param {number} link @returns {number} */
  streamState(link) {
    return this.#links[link]?.streamState ?? CLOSED;
  }

  /**
   * Send a chunk of a link's stream.
   *
   * @param {number} link
   * @param {Uint8Array} data a view that may change afterwards; the channel copies it
   * @throws if the browser refuses
   */
  sendChunk(link, data) {
    const stream = this.#links[link]?.stream;
    if (stream?.readyState !== 'open') throw new Error(`the stream of link ${link} is not open`);
    stream.send(/** @type {Uint8Array<ArrayBuffer>} */ (data));
  }

  /**
   * Send a datagram now.
   *
   * @param {number} link
   * @param {Uint8Array} data a view that may change afterwards; the channel copies it
   * @throws if the browser refuses; the caller reports that to Python
   */
  send(link, data) {
    const channel = this.#links[link]?.channel;
    if (channel?.readyState !== 'open') throw new Error(`the channel of link ${link} is not open`);
    channel.send(/** @type {Uint8Array<ArrayBuffer>} */ (data));
  }

  /** @param {Command} command */
  execute(command) {
    const link = this.#links[command.link];
    if (link) link.execute(command);
    else this.duties.report('channel.execute', new Error(`no link ${command.link} for ${command.command}`));
  }

  /**
   * The browser's own objects of a link, for tests that cut the connection from below.
   *
   * @param {number} link
   */
  inspect(link) {
    const { connection, channel, stream } = this.#links[link] ?? { connection: null, channel: null, stream: null };
    return { connection, channel, stream };
  }

  close() {
    for (const link of this.#links) link.close();
  }
}
