"""The nouns of every wire protocol: what goes out, what comes in, and what a protocol has to provide.

A protocol is a pure function between these values and bytes: no clock, no socket, no state. It can be used
from any thread and by any number of streams at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Protocol, Union

from ..audio import Encoding, Track

ACCOUNT_VARIABLES = ("stream_auth_id", "stream_account_id", "stream_subaccount_id")
"""Channel variables that a stream introduces itself with, where they are set."""


@dataclass(frozen=True)
class OutMessage:
    """A text message (UTF-8), numbered by whoever sends it.

    With a `tail`, the stream's next sequence number (decimal, the first is 1) goes between `head` and `tail`
    at the moment of sending: only the sender knows what has gone before. Without one, `head` is sent as it is
    and has no number.
    """

    head: bytes
    tail: bytes | None = None


@dataclass(frozen=True)
class MediaTemplate:
    """What surrounds the audio of one track: head, sequence number, middle, payload, tail.

    With `base64` False the message is a binary frame of nothing but the payload, and has no sequence number.
    `encoding` is that of the payload before base64; two channels are interleaved, inbound first.
    """

    head: bytes
    middle: bytes
    tail: bytes
    base64: bool
    encoding: Encoding


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
    """JSON text, sent on exactly as it was given; None when there is none."""
    account: Mapping[str, str] = field(default_factory=dict)
    """Values of ACCOUNT_VARIABLES, by name; unset ones left out."""


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


Incoming = Union[PlayAudio, ClearAudio, SetCheckpoint, TranscriptionReceived]


class WireProtocol(Protocol):
    """One way to put a stream on a WebSocket; only `receive` meets foreign bytes."""

    @property
    def name(self) -> str:
        """The value of the setting `protocol` that selects it."""

    def start(self, info: StreamInfo) -> OutMessage:
        """The first message of a connection."""

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        """How audio of `track` travels: a single track, or Track.BOTH when a message carries two channels."""

    def stop(self, info: StreamInfo, reason: str) -> OutMessage:
        """The last message of a stream."""

    def dtmf(self, info: StreamInfo, digit: str, duration_ms: int) -> OutMessage:
        """The caller pressed a key."""

    def checkpoint(self, info: StreamInfo, name: str, status: str) -> OutMessage:
        """`status`: "played" when the caller has heard all before the checkpoint, "cleared" when not."""

    def text(self, info: StreamInfo, text: str) -> OutMessage:
        """A message of the application's own."""

    def receive(self, info: StreamInfo, message: bytes) -> list[Incoming]:
        """What a text message of the server asks for; raises MessageError, and nothing else."""
