"""The protocol session of a stream's present connection."""

from __future__ import annotations

import secrets
import time
from typing import Callable, Mapping

from ...protocols import ProtocolSession, WireProtocol
from ...protocols.messages import Handshake, StreamInfo

_NONCE_BYTES = 18


class ProtocolConversation:
    """Of one stream: what both directions speak through. `session` may be read by any thread."""

    def __init__(self, protocol: WireProtocol, info: StreamInfo, position: Callable[[], int]) -> None:
        """`position` returns how many sample times of the call's audio have been sent or left out; any thread."""
        self.protocol = protocol
        self._info = info
        self._position = position
        self._connections = 0
        self.session: ProtocolSession = protocol.open(info)

    def begin(self) -> None:
        """Speak to a server that has heard nothing yet. Only on the dispatcher."""
        session = self.session.again() or self.protocol.open(self._info)
        began, opened = self._position(), time.monotonic_ns()
        session.audio_ms = lambda: 1000 * (self._position() - began) // self._info.rate
        session.elapsed_ms = lambda: (time.monotonic_ns() - opened) // 1_000_000
        self.session = session
        self._connections += 1

    def handshake(self, url: str, key: str, secret: str) -> Mapping[str, str]:
        """Return the protocol's headers for the next connection. Any thread."""
        return self.protocol.handshake(self._info, Handshake(
            self._connections, url, key, secret, int(time.time()), secrets.token_urlsafe(_NONCE_BYTES)))
