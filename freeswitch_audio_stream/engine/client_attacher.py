"""Lets clients that connect to us attach to calls: each becomes a stream of its own."""

from __future__ import annotations

from ..audio import Track
from ..commands import Start
from ..errors import MediaNotFound
from .call_finder import CallFinder
from .connection.media_clients import (PREFIX, ClientLimits, ClientSession, CountedClient, MediaClient,
                                       PendingConnection)
from .starting import Starter
from .stream_table import StreamTable

_RATE = 8000  # Hz, that of every encapsulation
_SETTINGS = {"chunk-ms": "20", "reconnect": "false"}


class ClientAttacher:
    """Any thread; nothing waits for the network."""

    def __init__(self, client_limits: ClientLimits, table: StreamTable, calls: CallFinder, starter: Starter) -> None:
        """`client_limits` counts the clients that are let in."""
        self._client_limits = client_limits
        self._table = table
        self._calls = calls
        self._starter = starter

    def admit(self, place: str) -> CountedClient:
        """Count a client of `place` before there is a call for it; raise CapacityRefused if it is one too many.

        Return what goes to `attach`, or else has to leave.
        """
        return CountedClient(place, self._client_limits)

    def attach(self, client: MediaClient, counted: CountedClient | None = None) -> PendingConnection:
        """Attach a client to its call: captures from now on, and waits for the end of its handshake.

        The connection returned must be given to it, or told that there is none. Raise CallNotFound, MediaNotFound
        (no early media is asked for), CapacityRefused or another RefusedError; then it is `counted` no more.
        """
        try:
            self._check_media(client.uuid)
            counted = counted or self.admit(client.place)
            client_session = ClientSession(client, counted)
            self._start(client_session)
        except BaseException:
            if counted is not None:
                counted.leave()
            raise
        return client_session.pending

    def _check_media(self, uuid: str) -> None:
        call = self._calls.find(uuid)
        try:
            if not call.has_media() and not call.is_between_states():
                raise MediaNotFound("the call has no media: it is not answered yet, or its audio does not pass "
                                    "through FreeSWITCH")
        finally:
            call.release()
            call.forget()

    def _start(self, client_session: ClientSession) -> None:
        client = client_session.client
        stream_id = self._table.reserve_next(client.uuid, PREFIX)
        self._starter.start_reserved(
            Start(client.uuid, stream_id, client.resource, Track.INBOUND, _RATE, 0, True,
                  prefix={**_SETTINGS, "protocol": client.protocol}), client_session)
