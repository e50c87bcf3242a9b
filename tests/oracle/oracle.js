/*
 * The seed's rules once more: P2P-first dispatch, rollback events, the export.
 *
 * Written from the requirements' text alone, without a look at the core, in plain ES5: js2py runs it inside Python and
 * Node runs it outside, so that two engines and two languages must agree about the same rules. It holds no protocol
 * and no simulation. What happened is fed to it by hand, one call per happening; what it decides is collected:
 *
 *   dispatches     first dispatches {link, frame, action, path}, in order
 *   messages       the messages of inputs of first dispatches, in order, each with the link it went to
 *   warnings       the beginnings of the warnings
 *   changes        {link, from, to, cause, frame, episode} of every path change once the first episode began
 *   steps          {episode, frame, used: {player: action}, again: bool}: every frame stepped or re-simulated
 *   violations     what the rules forbid and was fed all the same (a return to P2P before its time)
 *
 * Decided here: refusals, a closed channel, a failed connection. Fed by hand and only checked: silence and latency,
 * which need a measured round-trip time, and the moment at which P2P comes back.
 * Choices which the requirements leave open follow the design's text and are marked CHOICE.
 */

var BUFFER_LIMIT = 16384;
var REFUSALS_UNTIL_FALLBACK = 3;
var SILENCE_AT_LEAST = 0.5;
var RETURN_AFTER = { silence: 1, other: 3, most: 30, memory: 60 };

function same(a, b) {
  // Values are compared by what they look like on the wire, not by ==.
  return JSON.stringify(a) === JSON.stringify(b);
}

function Oracle(config) {
  var i;
  this.gameId = config.gameId;
  this.playerId = config.playerId;
  this.inputDelay = config.inputDelay;
  this.window = config.window;
  this.maxSteps = config.maxSteps;
  this.defaultAction = config.defaultAction;
  this.wallMs = config.wallMs;
  this.startedAt = config.now;

  this.players = config.players;
  this.links = {};
  this.others = [];
  for (i = 0; i < this.players.length; i++) {
    if (String(this.players[i]) !== String(this.playerId)) {
      this.others.push(String(this.players[i]));
      this.links[String(this.players[i])] = this.newLink(String(this.players[i]));
    }
  }

  this.socketUp = true;
  this.p2pMetrics = {
    inputsSentViaP2P: 0, inputsSentViaSocketIO: 0,
    inputsReceivedViaP2P: 0, inputsReceivedViaSocketIO: 0,
    connectionType: null, connectionDetails: null,
    p2pFallbackTriggered: false, p2pFallbackFrame: null
  };
  this.p2pHashMismatches = 0;
  this.framesTotal = 0;
  this.rollbacksPerformed = 0;
  this.sessionMetrics = { rollbacks: { events: [], count: 0, maxFrames: 0 } };

  this.dispatches = [];
  this.messages = [];
  this.warnings = [];
  this.changes = [];
  this.steps = [];
  this.violations = [];

  this.polls = 0;
  this.accepting = false;
  this.playing = false;
  this.over = false;
  this.syncEpoch = 0;
  this.clearEpisode();
}

Oracle.prototype.newLink = function (id) {
  return {
    id: id,
    channel: 'never', // never | open | closed | failed
    buffered: 0,
    everOpen: false,
    proven: false, // a probe was answered since the channel is as it is
    fallback: null, // the cause of the fallback in force
    fallbackSince: null,
    fallbackTimes: [],
    refusals: 0,
    refusalsBefore: 0, // as they were before the last send that seemed to succeed
    lost: false, // the channel of a healthy link went just now: the input that meets it is refused
    heard: null, // when anything came over the channel last
    path: null
  };
};

Oracle.prototype.clearEpisode = function () {
  var i, f;
  this.frameNumber = 0;
  this.pendingRollbackFrame = null;
  this.inputs = {}; // inputs[player][frame] = action
  this.heldTo = {}; // what `held` found last, to go on from there
  this.used = {}; // used[frame][player] = action of the last stepping of that frame
  this.unsent = {}; // per link, local inputs that no path has taken yet: [{frame, action}]
  for (i = 0; i < this.others.length; i++) { this.unsent[this.others[i]] = []; }
  for (i = 0; i < this.players.length; i++) {
    this.inputs[String(this.players[i])] = {};
    this.heldTo[String(this.players[i])] = -1;
    for (f = 0; f < this.inputDelay; f++) {
      this.inputs[String(this.players[i])][f] = this.defaultAction;
    }
  }
  this.lastDispatchedFor = -1;
};

Oracle.prototype.startEpisode = function (episode) {
  // Links, their paths and every count belong to the session and stay.
  var i, link;
  this.syncEpoch = episode;
  this.clearEpisode();
  this.accepting = true; // another player may play already: its inputs are taken in
  for (i = 0; i < this.others.length; i++) {
    link = this.links[this.others[i]];
    if (link.path === null) { link.path = this.p2pHealthy(link.id) ? 'p2p' : 'socketio'; }
  }
};

Oracle.prototype.play = function () {
  this.playing = true; // everybody is ready
};

Oracle.prototype.endEpisode = function () {
  this.playing = this.accepting = false;
  this.syncEpoch += 1; // "the episode index": what comes now belongs to the next one, or is too late
};

Oracle.prototype.timestamp = function (now) {
  return Math.floor(this.wallMs + (now - this.startedAt) * 1000);
};

/* ---- links ---------------------------------------------------------------------------------------------------- */

Oracle.prototype.setChannel = function (id, state, buffered) {
  var link = this.links[id];
  link.channel = state;
  link.buffered = buffered;
  if (state === 'open') { link.everOpen = true; }
};

Oracle.prototype.noteHeard = function (id, now) {
  this.links[id].heard = now;
};

Oracle.prototype.changePath = function (link, to, cause) {
  if (link.path === null || link.path === to) { return; }
  this.changes.push({
    link: link.id, from: link.path, to: to, cause: cause, episode: this.syncEpoch,
    frame: this.accepting ? this.frameNumber : null // no frame is current between two episodes
  });
  link.path = to;
};

Oracle.prototype.returnAfter = function (link) {
  // 1 s after silence, 3 s otherwise, doubled at each further fallback within a minute, at most 30 s.
  // CHOICE: that the peer hears nothing (it says so, or acknowledges nothing) is silence, too.
  var quick = link.fallback === 'silence' || link.fallback === 'unheard' || link.fallback === 'deaf';
  var wait = quick ? RETURN_AFTER.silence : RETURN_AFTER.other;
  var i;
  for (i = 0; i + 1 < link.fallbackTimes.length; i++) {
    if (link.fallbackSince - link.fallbackTimes[i] <= RETURN_AFTER.memory) { wait *= 2; }
  }
  return Math.min(wait, RETURN_AFTER.most);
};

Oracle.prototype.linkProven = function (id, now) {
  // Its probe was answered; after a fallback: its probes were answered for as long as the way back demands.
  var link = this.links[id];
  var wait = 0;
  if (link.channel !== 'open') {
    this.violations.push('link ' + id + ' took to P2P while its channel was ' + link.channel);
  }
  if (link.fallback !== null) {
    wait = this.returnAfter(link);
    if (now - link.fallbackSince < wait - 1e-9) {
      this.violations.push('link ' + id + ' returned to P2P ' + (now - link.fallbackSince) +
        ' s after the fallback (' + link.fallback + '), which asks for ' + wait);
    }
    link.fallback = null;
    link.refusals = 0;
  }
  link.proven = true;
  this.changePath(link, 'p2p', wait === 0 ? 'opened' : 'recovered');
};

Oracle.prototype.putFallbackInForce = function (id, cause, now) {
  var link = this.links[id];
  if (link.fallback !== null) { return; }
  if (!link.everOpen) { return; } // before the channel first opened, no fallback is in force
  if (cause === 'silence' && link.heard !== null && now - link.heard <= SILENCE_AT_LEAST) {
    this.violations.push('link ' + id + ' fell silent ' + (now - link.heard) + ' s after it was heard');
  }
  link.fallback = cause;
  link.fallbackSince = now;
  link.fallbackTimes.push(now);
  link.proven = false;
  this.changePath(link, 'socketio', cause);
  if (!this.p2pMetrics.p2pFallbackTriggered) {
    this.p2pMetrics.p2pFallbackTriggered = true;
    this.p2pMetrics.p2pFallbackFrame = this.frameNumber;
  }
};

Oracle.prototype.decidePaths = function (now) {
  var i, link;
  // CHOICE: when the session is over nothing is left to fall back for: the other one may close the channel.
  if (this.over) { return; }
  for (i = 0; i < this.others.length; i++) {
    link = this.links[this.others[i]];
    link.lost = false;
    if (link.channel === 'closed' || link.channel === 'failed') {
      link.lost = this.p2pHealthy(link.id);
      this.putFallbackInForce(link.id, link.channel, now);
    }
  }
};

Oracle.prototype.p2pHealthy = function (id) {
  var link = this.links[id];
  return link.everOpen && link.proven && link.fallback === null;
};

/* ---- dispatch ------------------------------------------------------------------------------------------------- */

Oracle.prototype.poll = function (action, now) {
  this.polls += 1;
  this.decidePaths(now);
  if (this.playing) { this.sendInputToOtherPlayers(action, now); }
};

Oracle.prototype.sendInputToOtherPlayers = function (action, now) {
  var target = this.frameNumber + this.inputDelay;
  var due = this.frameNumber > this.lastDispatchedFor && this.frameNumber < this.maxSteps;
  var i, id;
  // Once per stepped frame: the input of a frame is given once and never replaced, however long a stall lasts. The
  // session steps no frame beyond the episode's end, so nothing is scheduled from there either.
  if (due) {
    this.lastDispatchedFor = this.frameNumber;
    this.inputs[String(this.playerId)][target] = action;
  }
  for (i = 0; i < this.others.length; i++) {
    id = this.others[i];
    if (due) { this.unsent[id].push({ frame: target, action: action }); }
    if (this.unsent[id].length) { this.dispatch(id, now); }
  }
};

Oracle.prototype.dispatch = function (id, now) {
  var link = this.links[id];
  if (this.p2pHealthy(id)) {
    if (this.recordAndSend(id)) { return; }
    this.sendFailed(id, now);
  } else if (link.lost) {
    // CHOICE: the input that meets a channel which closed since the last one is a refused one ("channel not open").
    this.warnings.push([this.polls, '[P2P] Send failed']);
  }
  this._sendViaSocketIO(id, now);
};

Oracle.prototype.dispatched = function (id, path) {
  // Every input counts once, for the path of its first dispatch.
  var i, input;
  for (i = 0; i < this.unsent[id].length; i++) {
    input = this.unsent[id][i];
    this.dispatches.push({
      link: id, episode: this.syncEpoch, frame: input.frame, action: input.action, path: path, poll: this.polls
    });
  }
  if (path === 'p2p') {
    this.p2pMetrics.inputsSentViaP2P += this.unsent[id].length;
  } else {
    this.p2pMetrics.inputsSentViaSocketIO += this.unsent[id].length;
  }
  this.unsent[id] = [];
};

Oracle.prototype.recordAndSend = function (id) {
  var link = this.links[id];
  if (link.channel !== 'open' || link.buffered > BUFFER_LIMIT) { return false; }
  link.refusalsBefore = link.refusals;
  link.refusals = 0;
  this.dispatched(id, 'p2p');
  return true;
};

Oracle.prototype.sendFailed = function (id, now) {
  var link = this.links[id];
  this.warnings.push([this.polls, '[P2P] Send failed']);
  link.refusals += 1;
  // CHOICE: there is nothing to fall back to while the server cannot be reached either.
  if (link.refusals >= REFUSALS_UNTIL_FALLBACK && this.socketUp) { this.putFallbackInForce(id, 'congested', now); }
};

Oracle.prototype.sendThrew = function (id, frames, now) {
  // The channel seemed to take these inputs and then threw: they were not sent, so this is a refusal like another,
  // and they go out by the other path at once.
  var link = this.links[id];
  var i, dispatch;
  for (i = this.dispatches.length - frames.length; i < this.dispatches.length; i++) {
    dispatch = this.dispatches[i];
    if (dispatch.path !== 'p2p' || frames.indexOf(dispatch.frame) < 0) { this.violations.push('it threw, and was not sent'); return; }
    this.unsent[id].push({ frame: dispatch.frame, action: dispatch.action });
  }
  this.dispatches.splice(this.dispatches.length - frames.length, frames.length);
  this.p2pMetrics.inputsSentViaP2P -= frames.length;
  link.refusals = link.refusalsBefore;
  this.sendFailed(id, now);
  this._sendViaSocketIO(id, now);
};

Oracle.prototype._sendViaSocketIO = function (id, now) {
  var i, input;
  if (!this.socketUp) { return; } // nothing is emitted and nothing is counted: the inputs wait for a path
  for (i = 0; i < this.unsent[id].length; i++) {
    input = this.unsent[id][i];
    this.messages.push({
      event: 'pyodide_player_action',
      data: {
        game_id: this.gameId,
        player_id: this.playerId,
        action: input.action,
        frame_number: input.frame,
        timestamp: this.timestamp(now),
        sync_epoch: this.syncEpoch
      }
    });
  }
  this.dispatched(id, 'socketio');
};

/* ---- remote inputs and rollback events ------------------------------------------------------------------------- */

Oracle.prototype.held = function (player) {
  // The last frame up to which every input of this player is here.
  var inputs = this.inputs[player];
  while (inputs[this.heldTo[player] + 1] !== undefined) { this.heldTo[player] += 1; }
  return this.heldTo[player];
};

Oracle.prototype.storeRemoteInput = function (playerId, action, frame, path, epoch, now) {
  var player = String(playerId);
  var used, depth;
  if (!this.accepting || epoch !== this.syncEpoch) { return false; }
  if (this.inputs[player][frame] !== undefined) { return false; } // the first value stands
  // CHOICE: a player is at most `window` frames ahead of the newest input it has from here, which is for frame
  // current + delay, and dispatches `delay` ahead of itself. (Design 4 says current + window + delay, which would
  // drop what an honest player sends.)
  if (frame < 0 || frame > this.frameNumber + this.window + 2 * this.inputDelay) { return false; }
  this.inputs[player][frame] = action;
  if (path === 'p2p') {
    this.p2pMetrics.inputsReceivedViaP2P += 1;
  } else {
    this.p2pMetrics.inputsReceivedViaSocketIO += 1;
  }
  if (frame >= this.frameNumber) { return true; }
  used = this.used[frame][player];
  if (same(used, action)) { return true; }
  depth = this.frameNumber - frame;
  this.sessionMetrics.rollbacks.events.push({
    frame: frame,
    currentFrame: this.frameNumber,
    rollbackFrames: depth,
    playerId: player,
    predictedAction: used,
    actualAction: action,
    timestamp: this.timestamp(now),
    episode: this.syncEpoch
  });
  this.sessionMetrics.rollbacks.count += 1;
  this.sessionMetrics.rollbacks.maxFrames = Math.max(this.sessionMetrics.rollbacks.maxFrames, depth);
  this.pendingRollbackFrame = this.pendingRollbackFrame === null ? frame : Math.min(this.pendingRollbackFrame, frame);
  return true;
};

/* ---- stepping -------------------------------------------------------------------------------------------------- */

Oracle.prototype.actionFor = function (player, frame) {
  var inputs = this.inputs[player];
  var anchor;
  if (inputs[frame] !== undefined) { return inputs[frame]; }
  // CHOICE (design 3): the prediction repeats the action before the first missing frame.
  anchor = this.held(player);
  return anchor < 0 ? this.defaultAction : inputs[anchor];
};

Oracle.prototype.stepFrame = function (frame, again) {
  var used = {};
  var i, player;
  for (i = 0; i < this.players.length; i++) {
    player = String(this.players[i]);
    used[player] = this.actionFor(player, frame);
  }
  this.used[frame] = used;
  this.steps.push({ episode: this.syncEpoch, frame: frame, used: used, again: again });
};

Oracle.prototype.advance = function (stands) {
  var frame, i, known;
  if (!this.playing) { return; }
  if (this.pendingRollbackFrame !== null) {
    for (frame = this.pendingRollbackFrame; frame < this.frameNumber; frame++) { this.stepFrame(frame, true); }
    this.pendingRollbackFrame = null;
    this.rollbacksPerformed += 1;
  }
  // Fed by hand: whether it stands for this tick because the other one is too slow.
  if (stands) { return; }
  known = Infinity;
  for (i = 0; i < this.others.length; i++) { known = Math.min(known, this.held(this.others[i])); }
  if (this.frameNumber >= this.maxSteps || this.frameNumber + 1 - known > this.window) { return; } // end, or stall
  this.stepFrame(this.frameNumber, false);
  this.frameNumber += 1;
  this.framesTotal += 1;
};

/* ---- the export ------------------------------------------------------------------------------------------------ */

Oracle.prototype.setConnectionType = function (type, details) {
  this.p2pMetrics.connectionType = type;
  this.p2pMetrics.connectionDetails = details;
};

Oracle.prototype.exportSessionMetrics = function () {
  var metrics = this.p2pMetrics;
  return {
    gameId: this.gameId,
    playerId: this.playerId,
    connection: {
      type: metrics.connectionType === null ? 'unknown' : metrics.connectionType,
      connectionDetails: metrics.connectionDetails === null ? {} : metrics.connectionDetails
    },
    inputs: {
      sentViaP2P: metrics.inputsSentViaP2P,
      sentViaSocketIO: metrics.inputsSentViaSocketIO,
      receivedViaP2P: metrics.inputsReceivedViaP2P,
      receivedViaSocketIO: metrics.inputsReceivedViaSocketIO
    },
    rollbacks: {
      events: this.sessionMetrics.rollbacks.events,
      count: this.sessionMetrics.rollbacks.count,
      maxFrames: this.sessionMetrics.rollbacks.maxFrames
    },
    sync: { p2pHashMismatches: this.p2pHashMismatches },
    quality: {
      p2pFallbackTriggered: metrics.p2pFallbackTriggered,
      p2pFallbackFrame: metrics.p2pFallbackFrame
    },
    frames: { total: this.framesTotal }
  };
};

/* ---- one story, as text in and text out: what both engines are asked --------------------------------------------- */

var HAPPENINGS = {
  channel: function (oracle, h) { oracle.setChannel(h[1], h[2], h[3]); },
  heard: function (oracle, h) { oracle.noteHeard(h[1], h[2]); },
  proven: function (oracle, h) { oracle.linkProven(h[1], h[2]); },
  fallback: function (oracle, h) { oracle.putFallbackInForce(h[1], h[2], h[3]); },
  socket: function (oracle, h) { oracle.socketUp = h[1]; },
  start: function (oracle, h) { oracle.startEpisode(h[1]); },
  play: function (oracle) { oracle.play(); },
  end: function (oracle) { oracle.endEpisode(); },
  over: function (oracle) { oracle.over = true; },
  poll: function (oracle, h) { oracle.poll(h[1], h[2]); },
  threw: function (oracle, h) { oracle.sendThrew(h[1], h[2], h[3]); },
  advance: function (oracle, h) { oracle.advance(h[1]); },
  type: function (oracle, h) { oracle.setConnectionType(h[1], h[2]); },
  mismatch: function (oracle) { oracle.p2pHashMismatches += 1; },
  remote: function (oracle, h) { // player, [[frame, action], ...], path, epoch, now
    var i;
    for (i = 0; i < h[2].length; i++) { oracle.storeRemoteInput(h[1], h[2][i][1], h[2][i][0], h[3], h[4], h[5]); }
  }
};

function tellStory(text) {
  var story = JSON.parse(text);
  var oracle = new Oracle(story.config);
  var pending = [];
  var i;
  for (i = 0; i < story.happenings.length; i++) {
    HAPPENINGS[story.happenings[i][0]](oracle, story.happenings[i]);
    pending.push(oracle.pendingRollbackFrame);
  }
  return JSON.stringify({
    dispatches: oracle.dispatches,
    messages: oracle.messages,
    warnings: oracle.warnings,
    changes: oracle.changes,
    steps: oracle.steps,
    violations: oracle.violations,
    pendingRollbackFrames: pending,
    rollbacksPerformed: oracle.rollbacksPerformed,
    p2pMetrics: oracle.p2pMetrics,
    metrics: oracle.exportSessionMetrics()
  });
}
