"""Who offers, when to try again, and how: everything about WebRTC that is a decision.

The lower seat of a link offers, always, so there is no glare. Each attempt at a connection has a generation
number, which rides with every description and candidate; what belongs to an older one is ignored. The shim
executes commands in the order in which they were given and reports what happened.

    failed or stuck connection   the initiator restarts ICE; if that does not help, a new generation
    closed channel               the initiator opens a new one on the same connection; if it stays closed, a new
                                 generation
    closed connection            a new generation: who sees it closed at its own end, and does not offer, asks for one
    open but useless channel     nothing came back for a while: a new generation
    the peer's page loaded anew  a new generation at once
    a browser without WebRTC     it says so, once, and nobody waits

Waiting times grow from 1 to 30 s, so that a network without a way through is not flooded. What is said to the peer
besides descriptions and candidates goes as a candidate that is none (`again`, `unable`): every server passes those on,
and a page that does not know the word passes over it.
"""

from __future__ import annotations

from typing import Any, Final

OFFER: Final = "offer"
ANSWER: Final = "answer"
CANDIDATE: Final = "ice-candidate"
SIGNALS: Final = (OFFER, ANSWER, CANDIDATE)

CONNECT_TIMEOUT: Final = 10.0
RESTART_TIMEOUT: Final = 8.0
USELESS_AFTER: Final = 20.0
CHANNEL_AGAIN: Final = 0.5
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 30.0
CANDIDATES_KEPT: Final = 64
GENERATIONS: Final = 1 << 16
"""More than one load of a page tries; the next load's are higher, so that who did not offer knows them for new."""


class Negotiator:
    """One link's negotiation. `initiator`: ours is the lower seat. `ice`: RTCConfiguration for the shim."""

    def __init__(self, initiator: bool, now: float, ice: dict[str, Any], load: int = 0) -> None:
        self.initiator = initiator
        self.generation = load * GENERATIONS if initiator else 0
        self.commands: list[dict[str, Any]] = []
        """What the shim has to execute, in order; whoever takes them clears the list."""
        self.signals: list[tuple[str, dict[str, Any]]] = []
        """What has to go to the peer: (type, payload)."""
        self.restarts = 0
        self.unable = False
        """Whether there will never be a connection: this browser has no WebRTC, or the peer's."""
        self._ice = ice
        self._state = "new"
        self._since = now
        self._retry_at = now
        self._wait = FIRST_WAIT
        self._restarted_at: float | None = None
        self._channel_at: float | None = None
        self._described = False
        self._early: list[dict[str, Any]] = []
        """Candidates that came before the description that they belong to,"""
        self._ahead: list[tuple[int, dict[str, Any]]] = []
        """and before the offer of their generation: not every server keeps the order."""
        self._useless_since: float | None = None
        self._begun = False
        self._opening = False
        """Whether another channel was asked for on this connection, which is not open yet."""
        self._unable_here = False

    def begin_anew(self, now: float) -> None:
        """The peer's page was loaded again: of what it had, nothing is there, whatever the own end looks like. Where it
        offers, its generations are higher than those of the load before."""
        self._wait = FIRST_WAIT
        if self.unable and self._unable_here:
            self._say(unable=True)
            return
        self.unable = False
        if self.initiator:
            self._connect(now)

    def poll(self, now: float, channel_open: bool, answers: bool) -> None:
        """Look at the time: begin, or try again. `answers`: something comes back through the channel."""
        if self.unable:
            return
        if self._state == "closed":
            # Whatever the other end makes of it: nothing ever goes by this one.
            if now >= self._retry_at:
                self._begin_again(now)
            return
        if answers:
            self._wait = FIRST_WAIT
            self._restarted_at = self._useless_since = None
            return
        if not self.initiator:
            # A connection may have failed at one end alone.
            if self._state == "failed" and now - self._since > RESTART_TIMEOUT and now >= self._retry_at:
                self._begin_again(now)
            return
        if not self._begun:
            self._connect(now)
            return
        if channel_open:
            if self._useless_since is None:
                self._useless_since = now
            elif now - self._useless_since > USELESS_AFTER:
                self._connect(now)
            return
        self._useless_since = None
        if self._state == "connected":
            if self._channel_at is None:
                # It is about to open; or it is closing, and the word that would end that was lost.
                self._channel_at = now + CONNECT_TIMEOUT
            elif now >= self._channel_at:
                if self._opening:
                    # The other end of it may be closed, which nothing tells.
                    self._connect(now)
                    return
                self._opening = True
                self._channel_at = now + CONNECT_TIMEOUT
                self._command("channel")
        elif self._restarted_at is not None:
            if now - self._restarted_at > RESTART_TIMEOUT and now >= self._retry_at:
                self._connect(now)
        elif self._state == "failed" or now - self._since > CONNECT_TIMEOUT:
            if now >= self._retry_at:
                if self._state == "failed":
                    self._restart(now)
                else:
                    self._connect(now)

    def _connect(self, now: float) -> None:
        self._begun = True
        self.generation += 1
        self._reset(now)
        self._command("connect", channel=True, ice=self._ice)
        self._command("offer", restart=False)

    def _begin_again(self, now: float) -> None:
        """A new connection, or the word to who makes one."""
        if self.initiator:
            self._connect(now)
        elif self.generation:
            self._back_off(now)
            self._say(again=True)

    def _say(self, **word: bool) -> None:
        self.signals.append((CANDIDATE, {**word, "generation": max(1, self.generation)}))

    def _restart(self, now: float) -> None:
        self.restarts += 1
        self._restarted_at = now
        self._back_off(now)
        self._command("offer", restart=True)

    def _reset(self, now: float) -> None:
        self._state = "new"
        self._since = now
        self._restarted_at = self._channel_at = self._useless_since = None
        self._described = self._opening = False
        self._early.clear()
        self._back_off(now)

    def _back_off(self, now: float) -> None:
        self._retry_at = now + self._wait
        self._wait = min(LONGEST_WAIT, self._wait * 2)

    def _command(self, name: str, **more: Any) -> None:
        self.commands.append({"command": name, "generation": self.generation, **more})

    def happened(self, what: str, value: Any, generation: int, now: float) -> None:
        """The shim reports what happened to the connection of that generation."""
        if generation != self.generation:
            return
        if what == "connection-state":
            self._state = str(value)
            self._since = now
            if value == "connected":
                self._restarted_at = None
        elif what == "channel-open":
            self._channel_at = None
            self._opening = False
        elif what == "channel-closed":
            self._channel_at = now + CHANNEL_AGAIN
            if value == "closed":
                # Of the connection itself: who closes one is not told so.
                self._state = "closed"
        elif what == "error" and isinstance(value, dict):
            self._failed(value.get("code"))
        elif what == "local-description" and isinstance(value, dict):
            self.signals.append((str(value.get("type")), {**value, "generation": generation}))
        elif what == "candidate" and isinstance(value, dict):
            self.signals.append((CANDIDATE, {**value, "generation": generation}))

    def _failed(self, command: Any) -> None:
        """A command raised in the browser."""
        if command == "connect":
            self.unable = self._unable_here = True
            self._say(unable=True)
        elif command in ("offer", "channel") or (command == "accept" and not self.initiator):
            # A connection that takes none is closed, or as good as that.
            self._state = "closed"

    def signalled(self, kind: str, payload: Any, now: float) -> bool:
        """A description or a candidate of the peer came; false if it is nothing that fits here."""
        if not isinstance(payload, dict):
            return False
        generation = payload.get("generation")
        if type(generation) is not int or not 0 < generation < 1 << 31:
            return False
        content = {key: value for key, value in payload.items() if key != "generation"}
        if kind == OFFER:
            if self.initiator or generation < self.generation or not _is_description(content, OFFER):
                return False
            if generation > self.generation:
                self.generation = generation
                self._reset(now)
                self._command("connect", channel=False, ice=self._ice)
                self._early += [candidate for of, candidate in self._ahead if of == generation]
                self._ahead = [each for each in self._ahead if each[0] > generation]
            self._accept(content)
            return True
        if kind == CANDIDATE and content.get("unable") is True:
            # Its browser has none, whichever attempt that was.
            self.unable = True
            return True
        if kind == CANDIDATE and generation > self.generation and not self.initiator and "again" not in content:
            self._ahead = [*self._ahead, (generation, content)][-CANDIDATES_KEPT:]
            return True
        if generation != self.generation:
            return False
        if kind == CANDIDATE and content.get("again") is True:
            if self.initiator:
                self._state = "closed"
            return True
        if kind == ANSWER:
            if not self.initiator or not _is_description(content, ANSWER):
                return False
            self._accept(content)
            return True
        if kind == CANDIDATE:
            if self._described:
                self._command("candidate", candidate=content)
            elif len(self._early) < CANDIDATES_KEPT:
                self._early.append(content)
            return True
        return False

    def _accept(self, description: dict[str, Any]) -> None:
        self._command("accept", description=description)
        self._described = True
        for candidate in self._early:
            self._command("candidate", candidate=candidate)
        self._early.clear()


def _is_description(content: dict[str, Any], kind: str) -> bool:
    return content.get("type") == kind and isinstance(content.get("sdp"), str)


def ice_configuration(turn: Any, servers: Any) -> dict[str, Any]:
    """The RTCConfiguration from the server's `turn_config` (urls, username, credential, force_relay) and STUN list."""
    configuration: dict[str, Any] = {"iceServers": [dict(server) for server in servers or ()]}
    if not isinstance(turn, dict):
        return configuration
    if turn.get("urls"):
        configuration["iceServers"].append(
            {
                "urls": turn["urls"],
                "username": turn.get("username", ""),
                "credential": turn.get("credential", ""),
            }
        )
    if turn.get("force_relay"):
        configuration["iceTransportPolicy"] = "relay"
    return configuration
