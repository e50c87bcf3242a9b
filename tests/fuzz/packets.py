"""All that the fuzzer knows of the wire format: where a packet's address ends, and why a packet cannot be read.

Another format needs another version of this file, and `python -m tests.fuzz.fuzz_session --write-corpus`.
"""

from __future__ import annotations

from pycore import DecodeError, Session
from pycore.wire import datagram, probe, version1
from pycore.wire.stream import CHUNK, decode_chunk

ADDRESS = 3
"""The first bytes of every packet: its kind, and the session's tag. A packet with others is foreign."""

FAR = 1 << 30


def unreadable(data: bytes, session: Session) -> str | None:
    """Why a packet for this session cannot be read, whatever the session would make of it; None if it can.

    As leniently as any session might: inputs are passed over as if they were all known. Of a packet of protocol 1
    nothing is read but that it is one, which is answered by name.
    """
    if version1.is_version_1(data, session._identity.tag):
        return None
    if datagram.tag_of(data) < 0:
        return "not a packet of ours"
    try:
        if data[0] == datagram.KIND:
            codecs = [seat.codec for seat in session.seats]
            datagram.decode(data, codecs, 1, len(codecs) - 1, session.frame, session.episode, 0, held=FAR)
        elif data[0] == CHUNK:
            decode_chunk(data)
        else:
            probe.decode_probe(data)
    except DecodeError as error:
        return str(error)
    return None
