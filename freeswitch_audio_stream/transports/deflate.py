"""Compressed WebSocket messages: permessage-deflate (RFC 7692), the client's side.

The agreement is a pure function of the server's answer; the codecs are functions of whole messages. Which
messages are compressed, the RSV1 bit of their first frame says; that is for whoever reads the frames.

What we send is compressed message by message: a window kept between messages would cost every connection a
quarter of a megabyte, to save little on the few texts that are not audio.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ..errors import AudioStreamError, HandshakeRefused

EXTENSION = "permessage-deflate"
OFFER = f"{EXTENSION}; client_no_context_takeover; client_max_window_bits"
"""The value of our Sec-WebSocket-Extensions header: the server may choose whatever it likes for itself."""

MAX_WINDOW_BITS = 15
_SMALLEST_FOR_ZLIB = 9  # of a compressor: zlib has a window of 256 bytes for decompression only
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_BITS = ("server_max_window_bits", "client_max_window_bits")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*(?:=\s*("?)({_TOKEN})\2\s*)?')
_WINDOW_BITS = re.compile("[89]|1[0-5]")
_FLUSHED = b"\0\0\xff\xff"  # ends every message, and is not sent (section 7.2.1)
_FINAL_BLOCK = b"\3\0"  # an empty one


class InflateError(AudioStreamError):
    """A compressed message cannot be read, nor any after it: the connection has to be failed."""


class InflatedTooBig(InflateError):
    """A compressed message is longer than the limit: one that was meant to exhaust memory, maybe."""


@dataclass(frozen=True)
class Deflate:
    """What client and server agreed on."""

    server_no_context_takeover: bool = False
    """True when the server compresses each message by itself."""
    server_max_window_bits: int = MAX_WINDOW_BITS
    """The server refers back 2 to the power of this many bytes, at most; 8 to 15."""
    client_max_window_bits: int = MAX_WINDOW_BITS
    """As far as we may refer back; 8 to 15."""


def agreement(answer: str, where: str) -> Deflate | None:
    """What the server made of OFFER: `answer` is its Sec-WebSocket-Extensions header, "" where it has none.

    None when it declines. `where` ("host:port") is for the text of HandshakeRefused, raised for an answer
    that RFC 7692 (sections 5 and 7.1) does not allow.
    """
    extensions = [extension for extension in answer.split(",") if extension.strip()]
    if not extensions:
        return None
    if len(extensions) > 1:
        raise _refused(where, "it names more than the one extension that was offered")
    name, *parameters = extensions[0].split(";")
    if name.strip() != EXTENSION:
        raise _refused(where, f"{_quoted(name)} was not offered")
    values = _parameters(parameters, where)
    bits = {name: int(values[name] or 0) for name in _BITS if name in values}
    return Deflate("server_no_context_takeover" in values, **bits)


def _parameters(parameters: list[str], where: str) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for parameter in parameters:
        match = _PARAMETER.fullmatch(parameter)
        if match is None:
            raise _refused(where, f"{_quoted(parameter)} is not a parameter")
        name, value = match[1], match[3]
        if name in values:
            raise _refused(where, f"{name} is there twice")
        if name in _FLAGS:
            if value is not None:
                raise _refused(where, f"{name} takes no value")
        elif name not in _BITS:
            raise _refused(where, f"the parameter {_quoted(name)} is unknown")
        elif not _WINDOW_BITS.fullmatch(value or ""):
            raise _refused(where, f"{name} is {_quoted(value or '')}, not a number from 8 to 15")
        values[name] = value
    return values


def _refused(where: str, reason: str) -> HandshakeRefused:
    return HandshakeRefused(f"{where} answers the offer of {EXTENSION} wrongly ({reason}): switch "
                            "compression off, there or here", HTTPStatus.SWITCHING_PROTOCOLS)


def _quoted(text: str) -> str:
    """A server's words, fit for a line of a log."""
    return ascii(text.strip()[:60])


class Inflater:
    """The server's messages, inflated; one per connection, for its messages in order. One thread."""

    def __init__(self, agreed: Deflate, limit: int) -> None:
        """`limit`: bytes that an inflated message may have."""
        self._agreed = agreed
        self._limit = limit
        self._zlib = self._fresh()

    def message(self, data: bytes) -> bytes:
        """The message whose compressed payload, all frames together, is `data`.

        Raise InflatedTooBig, one byte after the limit, and InflateError; the inflater is of no use then.
        """
        try:
            message: bytes = self._zlib.decompress(data, self._limit + 1)
            if len(message) > self._limit:
                raise InflatedTooBig(f"a compressed message of more than {self._limit} bytes")
            rest = self._after_final_block() if self._zlib.eof else self._zlib.decompress(_FLUSHED, 1)
        except zlib.error as error:
            raise InflateError(f"a compressed message is damaged ({error})") from error
        if rest or not self._between_blocks():
            raise InflateError("a compressed message is cut short, or too long")
        if self._agreed.server_no_context_takeover:
            self._zlib = self._fresh()
        return message

    def _fresh(self) -> Any:
        return zlib.decompressobj(-self._agreed.server_max_window_bits)

    def _after_final_block(self) -> bytes:
        """Begin anew where the server ended its stream (section 7.2.3.4); what is left but should not be."""
        rest: bytes = self._zlib.unused_data
        self._zlib = self._fresh()
        return rest.removeprefix(b"\0")

    def _between_blocks(self) -> bool:
        # zlib does not say so of itself: a copy is given a block, and has to know it for the last one.
        probe = self._zlib.copy()
        try:
            probe.decompress(_FINAL_BLOCK, 1)
        except zlib.error:
            return False
        return bool(probe.eof and not probe.unused_data)


class Deflater:
    """Our messages, deflated, each by itself. Any thread."""

    def __init__(self, agreed: Deflate) -> None:
        bits = agreed.client_max_window_bits
        self._bits = max(bits, _SMALLEST_FOR_ZLIB)
        # In a window smaller than zlib's smallest nothing at all is referred back to.
        self._strategy = zlib.Z_DEFAULT_STRATEGY if bits == self._bits else zlib.Z_HUFFMAN_ONLY

    def message(self, data: bytes) -> bytes:
        """The payload that carries `data`; its frame has the RSV1 bit set."""
        packer = zlib.compressobj(wbits=-self._bits, strategy=self._strategy)
        packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        return packed.removesuffix(_FLUSHED)
