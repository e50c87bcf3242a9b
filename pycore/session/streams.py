"""The streams of all links: messages that no datagram has room for, said in order and once, while the game goes on.

A stream is a second channel of the same connection, reliable and ordered, in chunks; where it is not open, or the link
is not peer-to-peer, the chunks go through the server as signals, few at a time. `pycore.link.stream` keeps what a
change of the way needs, so chunks are cut anew and nothing is lost.

Nobody waits for a stream: while there is nothing to say, a poll asks `busy` and nothing else. What is sent is bounded
by what the caller says of the channel (`streams` of `poll`): no more than `BUFFERED_BYTES` lie in it, so that a
datagram beside it waits for two chunks at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pycore.duties import CHANNEL_NEVER, P2P, SOCKETIO
from pycore.errors import DecodeError
from pycore.events import Log
from pycore.link.link import Link
from pycore.link.stream import Incoming, Outgoing
from pycore.session.identity import Identity
from pycore.session.journal import Journal
from pycore.session.messages.message import MessageKind
from pycore.session.outputs import Outputs
from pycore.session.roster import Departure
from pycore.session.topics.over import Over
from pycore.wire.stream import CHUNK_BYTES, HEAD_BYTES, LARGEST, decode_chunk, encode_chunk, encode_message

BUFFERED_BYTES: Final = 2 * CHUNK_BYTES
"""What may lie in a channel, by its own word and with what is handed out in this poll."""
POLL_BYTES: Final = 4 * CHUNK_BYTES
"""Of all links together, in one poll: the page's outbox has room for as much again."""
AHEAD_BYTES: Final = 6 * CHUNK_BYTES
"""What may be on its way to one peer: it waits there for a tick, in a buffer that datagrams need room in, too."""
SERVER_BYTES: Final = 12_288
"""A chunk through the server, which is 16,384 characters of base64."""
SERVER_EVERY: Final = 0.1
"""Seconds from one chunk through the server to the next, of all links together: a tenth of the signals that the relay
takes of a page, and a sixth of the bytes."""
SERVER_AHEAD: Final = 4 * SERVER_BYTES
REPEAT_AFTER: Final = 4.0
"""Seconds without anything acknowledged after which it is sent again; doubled each time."""
HURRIED_APART: Final = 1.0
"""The same where the peer says that it lacks it."""
REPEAT_LONGEST: Final = 30.0
GIVEN_UP_AFTER: Final = 60.0
"""Seconds of which there was a way, and nothing came of it: what waits is given up, for good."""

NOBODY: Final[Mapping[int, Departure]] = MappingProxyType({})
REFUSED_MOST: Final = 16
"""Messages that are none of their kind after which a peer's tape is not read any more: a few bytes may unpack to
millions."""


class Stream:
    """One link's stream, and how it goes on."""

    __slots__ = (
        "_hurried_at", "_patience", "_progressed_at", "_repeat_at", "acknowledge", "given_up", "incoming", "link",
        "outgoing", "path", "refused",
    )  # fmt: skip

    def __init__(self, link: Link, limits: Mapping[int, int]) -> None:
        self.link = link
        self.outgoing = Outgoing()
        self.incoming = Incoming(limits)
        self.path: str | None = None
        """The way that chunks go now; None: there is none."""
        self.acknowledge = False
        """Something came that the peer does not know yet that we have."""
        self.given_up = False
        self.refused = 0
        """Messages of the peer that were none of their kind."""
        self._patience = REPEAT_AFTER
        self._repeat_at = self._progressed_at = self._hurried_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether anything is to be said, or waited for."""
        return self.acknowledge or self.outgoing.waits

    def put(self, message: bytes, now: float) -> bool:
        """Say something; false where there is no room, or nobody who takes it."""
        if not self.outgoing.waits:
            self._progress(now)
        return not self.given_up and self.outgoing.put(message)

    def came(self, received: int, data: bytes, now: float) -> None:
        """A chunk came with these bytes, and with the peer's word of how far it has our tape."""
        if self.outgoing.acknowledge(received):
            self._progress(now)
        if data:
            self.acknowledge = True

    def said(self) -> None:
        """A chunk goes out: it says what we have."""
        self.acknowledge = False

    def refuse(self) -> None:
        """A message was none of its kind; from a number of them on nothing more is read, nor unpacked."""
        self.refused += 1
        if self.refused >= REFUSED_MOST:
            self.incoming.stop()

    def leave(self) -> None:
        """The peer is gone: nothing is said to it any more."""
        self.outgoing.forget()
        self.given_up = True
        self.acknowledge = False

    def excuse(self, seconds: float) -> None:
        """So long we did not listen: that is no time in which nothing was acknowledged."""
        self._progressed_at += seconds
        self._repeat_at += seconds

    def go(self, path: str | None, now: float) -> None:
        """Chunks go this way from now on: from what the peer is known to have."""
        self.path = path
        self.outgoing.go_back()
        self._progress(now)

    def look(self, now: float) -> None:
        """Send again what nobody acknowledges; in the end, give it up."""
        outgoing = self.outgoing
        if not outgoing.waits:
            return
        if now - self._progressed_at > GIVEN_UP_AFTER:
            outgoing.forget()
            self.given_up = True
        elif outgoing.on_its_way and now >= self._repeat_at:
            outgoing.go_back()
            self._patience = min(REPEAT_LONGEST, 2 * self._patience)
            self._repeat_at = now + self._patience

    def hurry(self, now: float) -> None:
        """The peer says that it lacks what was sent: it may have come before it knew us."""
        if now - max(self._progressed_at, self._hurried_at) >= HURRIED_APART:
            self._hurried_at = self._repeat_at = now

    def _progress(self, now: float) -> None:
        self._progressed_at = now
        self._patience = REPEAT_AFTER
        self._repeat_at = now + REPEAT_AFTER


class Streams:
    """All links' streams."""

    __slots__ = (
        "_first", "_gone", "_journal", "_kinds", "_limits", "_low", "_of", "_out", "_over", "_server_at", "_streams",
        "_tag", "_turn", "busy",
    )  # fmt: skip

    def __init__(
        self,
        identity: Identity,
        links: Sequence[Link],
        outputs: Outputs,
        over: Over,
        journal: Journal,
        gone: Mapping[int, Departure] = NOBODY,
    ) -> None:
        self._gone = gone
        """Who is gone, by number of the peer."""
        self._tag = identity.tag
        self._low = identity.incarnation & 0xFF
        self._out = outputs
        self._over = over
        self._journal = journal
        self._kinds: dict[int, MessageKind] = {}
        self._limits: dict[int, int] = {}
        self._streams = [Stream(link, self._limits) for link in links]
        self._of = {stream.link.peer.number: stream for stream in self._streams}
        self._server_at = -1e9
        """When the last chunk went through the server."""
        self._first = self._turn = 0
        """Who is asked first in the next poll, and whose turn it is to send through the server."""
        self.busy = False
        """Whether `work` has anything to do."""

    def know(self, kind: MessageKind) -> None:
        """Messages of this kind are taken in, and it is asked for its work. Before the first poll."""
        self._kinds[kind.kind] = kind
        self._limits[kind.kind] = kind.limit

    def of(self, link: Link) -> Stream:
        """One link's stream."""
        return self._of[link.peer.number]

    def begin_anew(self, link: Link) -> None:
        """Another load of the peer's page is there, which knows nothing of either tape."""
        index = next(index for index, stream in enumerate(self._streams) if stream.link is link)
        self._streams[index] = self._of[link.peer.number] = Stream(link, self._limits)

    def wake(self) -> None:
        """A kind of message has something to do."""
        self.busy = True

    def excuse(self, seconds: float) -> None:
        """So long we did not listen: nobody's stream is given up for it."""
        for stream in self._streams:
            stream.excuse(seconds)

    def put(self, link: Link, kind: int, payload: bytes, now: float) -> bool:
        """Say something to a peer; false where it is too long, too much waits, or the stream was given up."""
        self.busy = True
        return len(payload) <= LARGEST and self.of(link).put(encode_message(kind, payload), now)

    def receive(self, link: Link, data: bytes, now: float, path: str) -> None:
        """A chunk came. Raises DecodeError, and then nothing has moved but messages beside the one that is garbage."""
        chunk = decode_chunk(data)
        if (link.peer.low is not None and chunk.sender != link.peer.low) or chunk.to != self._low:
            # Of another load of its page, or for another one of ours.
            self._journal.ignore()
            return
        stream = self.of(link)
        messages = stream.incoming.take(chunk.position, chunk.data) if chunk.data else ()
        stream.came(chunk.received, chunk.data, now)
        link.counts.packet_came(len(data), path == P2P)
        (link.paths.wire if path == P2P else link.paths.socket).hear(now)
        self.busy = True
        refused: DecodeError | None = None
        for kind, payload in messages:
            try:
                self._kinds[kind].take(link, payload, now)
            except DecodeError as error:
                # Those behind it are taken off the tape already, and never come again.
                refused = error
                stream.refuse()
        if refused is not None:
            raise refused

    def work(self, now: float, states: Sequence[int], socket_up: bool) -> None:
        """Do what is due. `states` says of each link's stream channel what `channels` says of the other one."""
        busy = False
        for kind in self._kinds.values():
            if kind.work(now):
                busy = True
        left = POLL_BYTES
        count = len(self._streams)
        self._first += 1
        for step in range(count):
            index = (self._first + step) % count
            stream = self._streams[index]
            if not stream.busy:
                continue
            departure = self._gone.get(stream.link.peer.number)
            if departure is not None:
                # Who may come back as the same load goes on with the same tape.
                if not departure.may_return:
                    stream.leave()
                continue
            state = states[index] if index < len(states) else CHANNEL_NEVER
            path = self._path(stream.link, state, socket_up)
            if path is not stream.path:
                stream.go(path, now)
            if path is None:
                # What is not said now is said when there is a way; a session that is over may never have one again.
                busy = busy or not self._over.over
                continue
            stream.look(now)
            if stream.given_up and not stream.acknowledge:
                name = self._journal.name(stream.link)
                self._journal.say(Log(level="warning", text=f"player {name} takes nothing by stream; it is given up"))
                continue
            if path == P2P:
                left -= self._send(stream, state, left)
            busy = busy or stream.busy
        if socket_up and now >= self._server_at + SERVER_EVERY:
            self._send_by_server(now)
        self.busy = busy

    def _path(self, link: Link, state: int, socket_up: bool) -> str | None:
        """The way for a link's chunks: that of its inputs, if the channel for it is open."""
        by_server = socket_up and link.seat >= 0 and self._over.reaches(link)
        if state >= 0 and (link.paths.healthy or not by_server):
            return P2P
        return SOCKETIO if by_server else None

    def _send(self, stream: Stream, buffered: int, left: int) -> int:
        """Hand out chunks for a channel that has so much in it; returns how many bytes."""
        outgoing = stream.outgoing
        room = min(BUFFERED_BYTES - buffered, left)
        sent = 0
        while outgoing.unsent:
            piece = min(outgoing.end - outgoing.sent, CHUNK_BYTES - HEAD_BYTES)
            if sent + HEAD_BYTES + piece > room or outgoing.on_its_way + piece > AHEAD_BYTES:
                break
            self._out.chunk(stream.link, self._chunk(stream, piece))
            sent += HEAD_BYTES + piece
        if stream.acknowledge and room >= HEAD_BYTES:
            self._out.chunk(stream.link, self._chunk(stream, 0))
            sent += HEAD_BYTES
        return sent

    def _send_by_server(self, now: float) -> None:
        """One chunk goes through the server, of the link whose turn it is."""
        streams = self._streams
        for step in range(len(streams)):
            turn = (self._turn + step) % len(streams)
            stream = streams[turn]
            outgoing = stream.outgoing
            if stream.path != SOCKETIO or not stream.busy:
                continue
            most = min(SERVER_BYTES - HEAD_BYTES, SERVER_AHEAD - outgoing.on_its_way) if outgoing.unsent else 0
            if most > 0 or stream.acknowledge:
                self._out.signal(stream.link, self._chunk(stream, max(0, most)))
                self._server_at = now
                self._turn = turn + 1
                return

    def _chunk(self, stream: Stream, most: int) -> bytes:
        """The next chunk of a stream, with so many bytes of its tape at most."""
        stream.said()
        position, data = stream.outgoing.take(most)
        to = stream.link.peer.low or 0
        return encode_chunk(self._tag, self._low, to, stream.incoming.received, position, data)
