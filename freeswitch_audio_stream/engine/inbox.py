"""Pieces of WebSocket messages to whole messages."""

from __future__ import annotations

from dataclasses import dataclass

from ..realtime.path import Piece

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


def close_reason(data: bytes) -> tuple[int, str]:
    """Code and reason of a close frame's payload (RFC 6455 section 5.5.1); 1005 where it names none."""
    if len(data) < 2:
        return 1005, ""
    return int.from_bytes(data[:2], "big"), data[2:].decode("utf-8", "replace")


def close_payload(code: int, reason: str = "") -> bytes:
    """The payload of a close frame; the reason is cut to what a control frame holds."""
    return code.to_bytes(2, "big") + reason.encode()[:123].decode("utf-8", "ignore").encode()
