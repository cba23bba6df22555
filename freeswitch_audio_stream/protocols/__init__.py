"""Wire protocols: pure translation between a stream's messages and the bytes of one format, one file each."""

from __future__ import annotations

from typing import Mapping

from .audiosocket import AUDIOSOCKET
from .community import COMMUNITY
from .encapsulations import RTP, SLN
from .messages import WireProtocol
from .stream_api import BINARY, JSON

PROTOCOLS: Mapping[str, WireProtocol] = {protocol.name: protocol for protocol in (
    JSON, BINARY, COMMUNITY, RTP, SLN, AUDIOSOCKET)}
"""By the name that the setting `protocol` selects them with."""

ENCAPSULATIONS: tuple[str, ...] = tuple(name for name, protocol in PROTOCOLS.items() if protocol.encapsulation)
"""The names of those that are nothing but audio."""
