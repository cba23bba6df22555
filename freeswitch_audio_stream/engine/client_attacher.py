"""Lets clients that connect to us attach to calls: each becomes a stream of its own."""

from __future__ import annotations

from ..audio import Track
from ..commands import Start
from ..errors import MediaNotFound
from .call_finder import CallFinder
from .connection.media_clients import PREFIX, ClientLimits, ClientSession, MediaClient, PendingConnection
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

    def attach(self, client: MediaClient) -> PendingConnection:
        """Attach a client to its call: captures from now on, and waits for the end of its handshake.

        What is answered must be given a connection, or told that there is none. Raises CallNotFound, MediaNotFound
        (no early media is asked for), CapacityRefused or another RefusedError.
        """
        self._check_media(client.uuid)
        client_session = ClientSession(client, self._client_limits)
        try:
            self._start(client_session)
        except BaseException:
            client_session.leave()
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
