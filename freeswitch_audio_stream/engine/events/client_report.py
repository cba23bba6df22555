"""The events of a client that connects to us: that it is there, and that it has left."""

from __future__ import annotations

from ..connection.media_clients import Visit
from .reports import Reporter


class VisitReport:
    """Of one stream; only on its dispatcher."""

    def __init__(self, visit: Visit, reporter: Reporter) -> None:
        self._visit = visit
        self._reporter = reporter

    def attached(self, peer: str, encapsulation: str) -> None:
        """It is connected, from `peer`: address and port."""
        here, everywhere = self._visit.count()
        self._reporter.fire("media_client_attached", peer=peer, encapsulation=encapsulation,
                            conference=self._visit.guest.conference, clients=here, totalClients=everywhere)

    def detached(self, code: int, reason: str) -> None:
        """It is connected no more, and does not count any more."""
        self._visit.leave()
        here, everywhere = self._visit.count()
        self._reporter.fire("media_client_detached", peer=self._visit.guest.peer, code=code, reason=reason,
                            conference=self._visit.guest.conference, clients=here, totalClients=everywhere)
