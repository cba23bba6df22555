"""The events of a client that connects to us: that it is there, and that it has left."""

from __future__ import annotations

from ..connection.media_clients import ClientSession
from .reports import Reporter


class ClientReport:
    """Of one stream; only on its dispatcher."""

    def __init__(self, client_session: ClientSession, reporter: Reporter) -> None:
        self._client_session = client_session
        self._reporter = reporter

    def attached(self, peer: str, encapsulation: str) -> None:
        """It is connected, from `peer`: address and port."""
        here, everywhere = self._client_session.count()
        self._reporter.fire("media_client_attached", peer=peer, encapsulation=encapsulation,
                            conference=self._client_session.client.conference, clients=here, totalClients=everywhere)

    def detached(self, code: int, reason: str) -> None:
        """It is connected no more, and does not count any more."""
        self._client_session.leave()
        here, everywhere = self._client_session.count()
        self._reporter.fire("media_client_detached", peer=self._client_session.client.peer, code=code, reason=reason,
                            conference=self._client_session.client.conference, clients=here, totalClients=everywhere)
