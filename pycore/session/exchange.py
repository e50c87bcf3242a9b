"""The packets of a session: writes what is due on every link's path, and takes in what comes.

What rides is state, not messages: a packet says what its sender holds, wants and knows now, and says it again
until the receiver is known to have it. So a lost packet is never missed, and a packet that comes twice moves
nothing. Inputs go peer-to-peer in the datagram while the link is healthy, and as S3 messages otherwise; what
else there is to say then travels as the same datagram without inputs, through the server's signalling event.
"""

from __future__ import annotations

from pycore.session.incoming import Incoming
from pycore.session.outgoing import Outgoing


class Exchange(Outgoing, Incoming):
    """All links of a session, and what has to be said on them."""

    __slots__ = ()
