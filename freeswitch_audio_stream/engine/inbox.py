"""What the core has read: pieces of messages to whole messages, decompressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator

from ..realtime.path import MediaPath, Piece
from ..transports import InflatedTooBig, InflateError, Inflater
from .close_frame import CLOSE_BAD_DATA, CLOSE_TOO_BIG

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTROL = 8
"""Opcodes from here on are control frames, which may come between the pieces of a message."""


class MessageTooBig(Exception):
    """A message is longer than the limit."""


@dataclass(frozen=True)
class Message:
    """A whole message, or a control frame."""

    opcode: int
    data: bytes
    is_compressed: bool = False


class MessageAssembler:
    """Collects pieces; one per connection."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes that a message may have."""
        self._limit = limit
        self._parts: dict[bool, list[bytes]] = {False: [], True: []}
        self._sizes = {False: 0, True: 0}

    def add(self, piece: Piece) -> Message | None:
        """The message that `piece` completes, if it does. Raises MessageTooBig."""
        control = piece.opcode >= CONTROL
        parts = self._parts[control]
        parts.append(piece.data)
        self._sizes[control] += len(piece.data)
        if self._sizes[control] > self._limit:
            raise MessageTooBig
        if not piece.is_last:
            return None
        data = b"".join(parts)
        parts.clear()
        self._sizes[control] = 0
        return Message(piece.opcode, data, piece.is_compressed)


class Inbox:
    """What comes on one connection; only on the dispatcher."""

    def __init__(self, path: MediaPath, limit: int, inflater: Inflater | None, peer: str,
                 refuse: Callable[[int, str], None]) -> None:
        """`limit`: bytes that a message may have. `refuse` is told, as a code and a text for a close frame, what the
        `peer` ("server") did wrong.
        """
        self._path = path
        self._limit = limit
        self._assembler = MessageAssembler(limit)
        self._inflater = inflater
        self._peer = peer
        self._refuse = refuse

    def messages(self) -> Iterator[Message]:
        """The messages that have come since the last call; none is compressed. Those that cannot be had are refused."""
        for piece in self._path.take_inbox():
            try:
                message = self._assembler.add(piece)
            except MessageTooBig:
                self._refuse(CLOSE_TOO_BIG, f"the {self._peer} sent a message of more than {self._limit} bytes "
                             "(max-message-bytes)")
                return
            if message is not None and message.is_compressed:
                message = self._inflated(message)
            if message is not None:
                yield message

    def _inflated(self, message: Message) -> Message | None:
        assert self._inflater is not None  # the core refuses the bit otherwise
        try:
            return Message(message.opcode, self._inflater.message(message.data))
        except InflatedTooBig:
            self._refuse(CLOSE_TOO_BIG, f"the {self._peer} sent a compressed message of more than {self._limit} bytes "
                         "(max-message-bytes)")
        except InflateError as error:
            self._refuse(CLOSE_BAD_DATA, f"the {self._peer} sent what cannot be decompressed: {error}")
        return None
