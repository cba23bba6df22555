"""The requests of the gateway's API as bytes, and the chunks of audio in them, each of which can be told apart."""

from __future__ import annotations

import base64
import struct
from typing import Iterator

CHUNK_BYTES_PER_MS = 32
_MARK = struct.Struct("<HI")  # 6 bytes, two whole groups of base64
_MAGIC = 0x6BA5


def request(method: str, path: str, body: bytes = b"", key: str = "") -> bytes:
    """Return an HTTP/1.1 request for a connection that is kept open."""
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: gateway\r\n{authorization}"
    if method == "POST":
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Chunks:
    """The chunks of one length in ms."""

    def __init__(self, milliseconds: int) -> None:
        self.bytes = milliseconds * CHUNK_BYTES_PER_MS
        self._rest = bytes(self.bytes - _MARK.size)

    def body(self, first: int, count: int) -> bytes:
        """Return the body that posts `count` chunks, numbered from `first`."""
        audio = b"".join(_MARK.pack(_MAGIC, number) + self._rest for number in range(first, first + count))
        return b'{"audio":"' + base64.b64encode(audio) + b'"}'

    def numbers(self, audio: bytes) -> Iterator[int]:
        """Yield the number of each chunk in audio that begins with a chunk; -1 for what is none."""
        for begin in range(0, len(audio), self.bytes):
            part = audio[begin:begin + _MARK.size]
            magic, number = _MARK.unpack(part) if len(part) == _MARK.size else (0, 0)
            yield number if magic == _MAGIC else -1
