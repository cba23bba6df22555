"""Lets clients that connect to us attach to calls: each becomes a stream of its own."""

from __future__ import annotations

from ..audio import Track
from ..commands import Start
from ..errors import MediaNotFound
from .call_finder import CallFinder
from .connection.media_clients import PREFIX, Arrival, Guest, GuestBook, Visit
from .starting import Starter
from .stream_table import StreamBook

_RATE = 8000  # Hz, that of every encapsulation
_SETTINGS = {"chunk-ms": "20", "reconnect": "false"}


class Reception:
    """Any thread; nothing waits for the network."""

    def __init__(self, guests: GuestBook, book: StreamBook, calls: CallFinder, starter: Starter) -> None:
        """`guests` counts the clients that are let in."""
        self._guests = guests
        self._book = book
        self._calls = calls
        self._starter = starter

    def attach(self, guest: Guest) -> Arrival:
        """Attach a client to its call: captures from now on, and waits for the end of its handshake.

        What is answered must be given a connection, or told that there is none. Raises CallNotFound, MediaNotFound
        (no early media is asked for), CapacityRefused or another RefusedError.
        """
        self._check_media(guest.uuid)
        visit = Visit(guest, self._guests)
        try:
            self._start(visit)
        except BaseException:
            visit.leave()
            raise
        return visit.arrival

    def _check_media(self, uuid: str) -> None:
        call = self._calls.find(uuid)
        try:
            if not call.has_media() and not call.is_between_states():
                raise MediaNotFound("the call has no media: it is not answered yet, or its audio does not pass "
                                    "through FreeSWITCH")
        finally:
            call.release()
            call.forget()

    def _start(self, visit: Visit) -> None:
        guest = visit.guest
        stream_id = self._book.reserve_next(guest.uuid, PREFIX)
        self._starter.start_reserved(
            Start(guest.uuid, stream_id, guest.resource, Track.INBOUND, _RATE, 0, True,
                  prefix={**_SETTINGS, "protocol": guest.protocol}), visit)
