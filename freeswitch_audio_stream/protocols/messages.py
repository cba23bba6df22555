"""The nouns of every wire protocol: what goes out, what comes in, and what a stream is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Mapping, Union

from ..audio import Encoding, Track

ACCOUNT_VARIABLES = ("stream_auth_id", "stream_account_id", "stream_subaccount_id")
"""Channel variables that a stream introduces itself with, where they are set."""


@dataclass(frozen=True)
class OutMessage:
    """A text message (UTF-8), numbered by whoever sends it; with a `kind` an AudioSocket frame of it.

    With a `tail`, the stream's next sequence number (decimal, the first is 1) goes between `head` and `tail`
    at the moment of sending: only the sender knows what has gone before. Without one, `head` is sent as it is
    and has no number.
    """

    head: bytes
    tail: bytes | None = None
    kind: int | None = None


class Running(Enum):
    """What the compiled core fills into a media message. All but the payload are decimal digits, to be put between
    quotes by the literals around them where a protocol has numbers as strings.
    """

    PAYLOAD = "payload"
    """The audio, in base64 (RFC 4648)."""
    SEQUENCE = "sequence"
    """The number of the message among the stream's numbered ones, `OutMessage`s with a tail included; from 1."""
    CHUNK = "chunk"
    """The number of the message among those of its track; from 1."""
    TIMESTAMP = "timestamp"
    """Milliseconds of the call from its first captured sample to the first of this message; what was not captured,
    because the stream was paused or its server too slow, counts as well."""


@dataclass(frozen=True)
class MediaTemplate:
    """A media message of one track: literals and running fields, in their order.

    Without parts the message is a binary one of nothing but the payload. `encoding` is that of the payload before
    base64; two channels are interleaved, inbound first. Raises ValueError for a running field that stands twice, and
    for a text without a payload.
    """

    parts: tuple[bytes | Running, ...]
    encoding: Encoding

    def __post_init__(self) -> None:
        running = [part for part in self.parts if isinstance(part, Running)]
        if len(set(running)) < len(running) or self.parts and Running.PAYLOAD not in running:
            raise ValueError(f"a media message has one payload, and each other running field at most once: {running}")

    @property
    def is_text(self) -> bool:
        """Whether it is a text message with its payload in base64, and not a binary one."""
        return bool(self.parts)


@dataclass(frozen=True)
class StreamInfo:
    """What a stream tells the server about itself."""

    stream_id: str
    uuid: str
    """Of the call."""
    track: Track
    encoding: Encoding
    rate: int
    """Hz on the wire."""
    channels: int = 1
    """In one message; 2 where one message carries both tracks."""
    metadata: str | None = None
    """Sent on exactly as it was given; JSON text, unless the protocol takes any; None when there is none."""
    account: Mapping[str, str] = field(default_factory=dict)
    """Values of ACCOUNT_VARIABLES, by name; unset ones left out."""
    base64: bool = False
    """Audio as base64 in text messages, in a protocol that leaves the choice."""


@dataclass(frozen=True)
class PlayAudio:
    """Audio for the caller, to be queued behind what waits already."""

    audio: bytes
    """Whole samples of one channel."""
    encoding: Encoding
    rate: int
    """Hz, one of audio.ALL_RATES."""
    checkpoint: str | None = None
    """To be reported when the caller has heard the last sample."""
    item: str | None = None
    """The server's name for what this is a piece of, where it wants to know how much of it the caller has heard."""


@dataclass(frozen=True)
class ClearAudio:
    """Drop everything that waits to be played."""


@dataclass(frozen=True)
class SetCheckpoint:
    """Report `name` when the caller has heard all that is queued now."""

    name: str


@dataclass(frozen=True)
class TranscriptionReceived:
    """Somebody spoke; `payload` is the server's JSON object and can be written as JSON again."""

    payload: dict[str, Any]


@dataclass(frozen=True)
class StreamAudio:
    """Audio in one piece, to be told of as a file, and to be queued for the caller where that is wanted."""

    audio: bytes
    """As `kind` has it; raw: whole little-endian samples of 16 bits, one channel."""
    kind: str
    """raw, wav, mp3, ogg, pcmu or pcma."""
    rate: int | None
    """Hz, of raw, pcmu and pcma; what is in a wav, mp3 or ogg says so itself."""
    fields: dict[str, Any]
    """The server's other members of ``data``; they can be written as JSON again."""


@dataclass(frozen=True)
class TextReceived:
    """A text for the application, JSON or not, exactly as the server sent it."""

    text: str


@dataclass(frozen=True)
class HangUp:
    """The server has had enough: the stream ends."""


Incoming = Union[PlayAudio, ClearAudio, SetCheckpoint, TranscriptionReceived, StreamAudio, TextReceived, HangUp]
