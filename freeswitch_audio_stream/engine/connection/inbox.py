"""What the core has read: pieces of messages to whole messages, decompressed, and text that is text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Callable, Iterator

from ...realtime.path import MediaPath, Piece
from ...transports import InflatedTooBig, InflateError, Inflater
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
    play_position: int = 0
    """See `Piece.play_position`: that of its end."""


class MessageAssembler:
    """Collects pieces; one per connection."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes that a message may have."""
        self._limit = limit
        self._parts: dict[bool, list[bytes]] = {False: [], True: []}
        self._sizes = {False: 0, True: 0}
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def add(self, piece: Piece) -> Message | None:
        """Return the message that `piece` completes, or None while more of it is to come.

        Raise MessageTooBig, and at the first byte that shows it UnicodeDecodeError, for text that is not compressed.
        """
        control = piece.opcode >= CONTROL
        parts = self._parts[control]
        parts.append(piece.data)
        self._sizes[control] += len(piece.data)
        if self._sizes[control] > self._limit:
            raise MessageTooBig
        if piece.opcode == TEXT and not piece.is_compressed:
            self._utf8.decode(piece.data, final=piece.is_last)
        if not piece.is_last:
            return None
        data = b"".join(parts)
        parts.clear()
        self._sizes[control] = 0
        return Message(piece.opcode, data, piece.is_compressed, piece.play_position)


class Inbox:
    """What comes on one connection; only on the dispatcher."""

    def __init__(self, path: MediaPath, limit: int, inflater: Inflater | None, peer: str,
                 refuse: Callable[[int, str, bool], None]) -> None:
        """`limit`: bytes that a message may have. `refuse` is told, as a code and a text for a close frame, what the
        `peer` ("server") did wrong, and whether that is for good.
        """
        self._path = path
        self._limit = limit
        self._assembler = MessageAssembler(limit)
        self._inflater = inflater
        self._peer = peer
        self._refuse = refuse
        self._has_refused = False

    def messages(self, end: int | None = None) -> Iterator[Message]:
        """Yield the messages that have come since the last call, up to `end` of the path's inbox if given; none is
        compressed, and text is UTF-8. One that cannot be had is refused, and after it there is nothing but a close
        frame.
        """
        for piece in self._path.take_inbox(end):
            if not self._has_refused or piece.opcode == CLOSE:
                message = self._add(piece)
                if message is not None:
                    yield message

    def _add(self, piece: Piece) -> Message | None:
        try:
            message = self._assembler.add(piece)
            return self._inflated(message) if message is not None and message.is_compressed else message
        except MessageTooBig:
            self._fail(CLOSE_TOO_BIG, f"a message of more than {self._limit} bytes (max-message-bytes)")
        except InflatedTooBig:
            self._fail(CLOSE_TOO_BIG, f"a compressed message of more than {self._limit} bytes (max-message-bytes)")
        except InflateError as error:
            self._fail(CLOSE_BAD_DATA, f"what cannot be decompressed: {error}")
        except UnicodeDecodeError as error:
            self._fail(CLOSE_BAD_DATA, f"a text message that is not UTF-8 ({error.reason}): it should send bytes as a "
                       "binary message, or in base64", for_good=False)
        return None

    def _inflated(self, message: Message) -> Message:
        assert self._inflater is not None  # the core refuses the bit otherwise
        data = self._inflater.message(message.data)
        if message.opcode == TEXT:
            data.decode()
        return Message(message.opcode, data, play_position=message.play_position)

    def _fail(self, code: int, what: str, for_good: bool = True) -> None:
        self._has_refused = True
        self._refuse(code, f"the {self._peer} sent {what}", for_good)
