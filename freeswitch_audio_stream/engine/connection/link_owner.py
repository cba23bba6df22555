"""Whom a link tells what; all calls come on the dispatcher."""

from __future__ import annotations

from typing import Protocol

from ...errors import ConnectError
from ...transports import Connection
from .inbox import Message


class LinkOwner(Protocol):
    """Is told what becomes of the connection."""

    def link_up(self, connection: Connection) -> None:
        """Connected. Queue what is to be sent first, then call `Link.attach`."""

    def link_failed(self, error: ConnectError) -> None:
        """Not connected."""

    def link_refused(self, text: str, for_good: bool, in_words: bool = False) -> None:
        """The server breaks a rule, or refuses or lacks something, which a recorder says `in_words`. If `for_good`, the
        connection is being closed for it, and not to be made again.
        """

    def link_lost(self, text: str, timed_out: bool) -> None:
        """The connection broke, or (`timed_out`) the peer does not answer; link_down follows."""

    def link_deferred(self, seconds: float) -> None:
        """The server wants no further attempt for so long; link_lost follows."""

    def link_down(self, code: int, text: str, clean: bool) -> None:
        """The connection is over. `clean`: as the server or we wanted, rather than by a failure."""

    def link_released(self) -> None:
        """The socket is closed: `Link.connect` may be called again."""


class MessageHandler(Protocol):
    """Is told what the server says."""

    def take_message(self, message: Message) -> None:
        """The server sent a text or binary message."""

    def take_frame(self, kind: int, payload: bytes) -> None:
        """The server sent an AudioSocket frame that is not audio."""
