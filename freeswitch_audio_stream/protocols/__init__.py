"""Wire protocols: pure translation between a stream's messages and the bytes of one format, one file each."""

from __future__ import annotations

from typing import Mapping

from .community import COMMUNITY
from .messages import WireProtocol
from .stream_api import BINARY, JSON

PROTOCOLS: Mapping[str, WireProtocol] = {protocol.name: protocol for protocol in (JSON, BINARY, COMMUNITY)}
"""By the name that the setting `protocol` selects them with."""
