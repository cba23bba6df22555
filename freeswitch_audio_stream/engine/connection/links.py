"""Which connection carries which protocol."""

from __future__ import annotations

from typing import Mapping

from ...protocols import Carrier
from .audiosocket_link import AudioSocketLink
from .link import Link

LINKS: Mapping[Carrier, type[Link]] = {Carrier.WEBSOCKET: Link, Carrier.AUDIOSOCKET: AudioSocketLink}
"""By what carries the messages."""
