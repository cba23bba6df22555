"""The protocol session of a stream's present connection."""

from __future__ import annotations

from ...protocols import ProtocolSession, WireProtocol
from ...protocols.messages import StreamInfo


class ProtocolConversation:
    """Of one stream: what both directions speak through. `session` may be read by any thread."""

    def __init__(self, protocol: WireProtocol, info: StreamInfo) -> None:
        self.protocol = protocol
        self._info = info
        self.session: ProtocolSession = protocol.open(info)

    def begin(self) -> None:
        """Speak to a server that has heard nothing yet. Only on the dispatcher."""
        self.session = self.session.again() or self.protocol.open(self._info)
