"""Wire protocols: one file each, a format and the session that speaks it (see `session`).

    messages.py         the nouns: what goes out, what comes in
    session.py          what a format has to provide
    reading.py          checks of what a server has sent
    stream_api.py       json and binary
    community.py        community
    encapsulations.py   rtp and sln: nothing but audio
    audiosocket.py      audiosocket: over a WebSocket, and over TCP
"""

from __future__ import annotations

from typing import Mapping

from .audiosocket import AUDIOSOCKET, AUDIOSOCKET_TCP
from .community import COMMUNITY
from .encapsulations import RTP, SLN
from .session import Carrier, ProtocolSession, WireProtocol
from .stream_api import BINARY, JSON

__all__ = ["ENCAPSULATIONS", "PROTOCOLS", "SCHEMES", "Carrier", "ProtocolSession", "WireProtocol"]

PROTOCOLS: dict[str, WireProtocol] = {protocol.name: protocol for protocol in (
    JSON, BINARY, COMMUNITY, RTP, SLN, AUDIOSOCKET)}
"""By the name that the setting `protocol` selects them with."""

SCHEMES: Mapping[str, WireProtocol] = {"audiosocket": AUDIOSOCKET_TCP}
"""By the scheme of the URL, where that says already which protocol it is."""

ENCAPSULATIONS: tuple[str, ...] = tuple(name for name, protocol in PROTOCOLS.items() if protocol.encapsulation)
"""The names of those that are nothing but audio."""
