"""The values that all wire protocols share: messages to a server, messages from it, and the stream's description."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Mapping, Union

from ..audio import Encoding, Track

ACCOUNT_VARIABLES = ("stream_auth_id", "stream_account_id", "stream_subaccount_id")
"""Channel variables that the first message to a server contains, where they are set."""


@dataclass(frozen=True)
class OutMessage:
    """A text message to the server, in UTF-8; or, where `kind` is not None, the payload of an AudioSocket frame.

    With a `tail`, the sender puts the stream's next sequence number (decimal, the first is 1) between `head` and
    `tail`: media messages have numbers from the same sequence, and only the sender knows the order. Without one,
    `head` is sent unchanged and takes no number.
    """

    head: bytes
    tail: bytes | None = None
    kind: int | None = None


class Running(Enum):
    """A field of a media message that the compiled core fills in. All but the payload are decimal digits; where a
    protocol writes numbers as strings, the literals around the field contain the quotes.
    """

    PAYLOAD = "payload"
    """The audio, in base64 (RFC 4648)."""
    SEQUENCE = "sequence"
    """The stream's sequence number, shared with each `OutMessage` that has a tail; from 1."""
    CHUNK = "chunk"
    """The number of the message within its track; from 1."""
    TIMESTAMP = "timestamp"
    """Milliseconds from the first captured sample of the call to the first of this message. Time in which nothing was
    captured, because the stream was paused or its server too slow, counts as well."""


@dataclass(frozen=True)
class MediaTemplate:
    """A media message of one track: literal bytes and `Running` fields, in order.

    Without parts it is a binary message that contains only the payload. `encoding` is that of the payload before
    base64; L16 is little-endian; two channels are interleaved, inbound first. Raise ValueError if a field occurs twice,
    or if a text message has no payload.
    """

    parts: tuple[bytes | Running, ...]
    encoding: Encoding

    def __post_init__(self) -> None:
        running = [part for part in self.parts if isinstance(part, Running)]
        if len(set(running)) < len(running) or self.parts and Running.PAYLOAD not in running:
            raise ValueError(f"a media message has one payload, and each other running field at most once: {running}")

    @property
    def is_text(self) -> bool:
        """Whether this is a text message, with its payload in base64, rather than a binary one."""
        return bool(self.parts)


@dataclass(frozen=True)
class Identity:
    """By which names a protocol introduces the account, the call, the stream and its parties; those of the protocols
    of telephony platforms need them. An id that is "" was not set: the protocol makes one up.
    """

    nonce: str = "0" * 32
    """32 hexadecimal digits that no other stream has: what an id is made of."""
    account: str = ""
    call: str = ""
    stream: str = ""
    caller: str = ""
    """The caller's number; "" if unknown."""
    callee: str = ""
    """The number that was called; "" if unknown."""
    caller_name: str = ""
    """The caller's name; "" if unknown."""


@dataclass(frozen=True)
class StreamInfo:
    """A stream, as its messages describe it to the server."""

    stream_id: str
    uuid: str
    """UUID of the call."""
    track: Track
    encoding: Encoding
    rate: int
    """Hz on the wire."""
    channels: int = 1
    """Channels in one media message: 2 where it carries both tracks, else 1."""
    metadata: str | None = None
    """Metadata, sent exactly as given: JSON text unless the protocol takes any text; None if not given."""
    account: Mapping[str, str] = field(default_factory=dict)
    """Values of the protocol's `variables` by name, without those that are not set."""
    base64: bool = False
    """Whether audio travels in base64 in text messages, in a protocol that allows both."""
    identity: Identity = field(default_factory=Identity)
    plays: bool = True
    """Whether the caller can be made to hear what the server sends."""


@dataclass(frozen=True)
class Handshake:
    """What the headers of a connection's handshake are made of."""

    connection: int
    """How many connections the stream has had before."""
    url: str
    key: str
    """Of the setting `api-key`; "" for none."""
    secret: str
    """Of the setting `api-secret`, in base64; "" for none."""
    now: int
    """Seconds since 1970."""
    nonce: str
    """A text that nobody can guess and no other handshake has."""


@dataclass(frozen=True)
class PlayAudio:
    """Queue audio for the caller, behind what is queued already."""

    audio: bytes
    """Whole samples of one channel; L16 is little-endian."""
    encoding: Encoding
    rate: int
    """Hz, one of audio.ALL_RATES."""
    checkpoint: str | None = None
    """Name to report when the caller has heard the last sample; None = report nothing."""
    item: str | None = None
    """The server's id of the response that this audio is a part of; `ProtocolSession.heard` reports how much of it the
    caller has heard. None = report nothing. A protocol with items has no binary audio for the caller."""


@dataclass(frozen=True)
class ClearAudio:
    """Discard all audio that is queued for the caller."""


@dataclass(frozen=True)
class SetCheckpoint:
    """Report `name` when the caller has heard all audio that is queued now."""

    name: str


@dataclass(frozen=True)
class PausePlayback:
    """Keep what is queued for the caller back, from the next frame on; or let it play on."""

    paused: bool


@dataclass(frozen=True)
class AllowAudio:
    """The server takes the call's audio from now on; before, none may be sent, in a protocol with `permit_seconds`."""

    encoding: Encoding | None = None
    """That of binary messages from now on, both ways; None leaves it as it is. Only the first time on a connection."""
    discard_ms: int = 0
    """How much audio to leave out, in ms from the first that would have been sent on the connection."""


@dataclass(frozen=True)
class DiscardAudio:
    """The server takes no audio until `AllowAudio`, and none that the call has meanwhile."""

    encoding: Encoding | None = None
    """As of `AllowAudio`, where it comes first."""


@dataclass(frozen=True)
class KeepAudio:
    """The server takes no more audio on this connection; what the call has is for the next, if there is one."""


@dataclass(frozen=True)
class IgnoreBinary:
    """Drop the audio in binary messages that come from now on; or take it again."""

    ignored: bool


AudioFlow = Union[AllowAudio, DiscardAudio, KeepAudio, IgnoreBinary]
"""Which audio travels on the connection, in either direction."""


@dataclass(frozen=True)
class AskPlayback:
    """The server wants to know how much is queued for the caller; `ProtocolSession.playback` answers."""


@dataclass(frozen=True)
class TranscriptionReceived:
    """A transcription for the application; `payload` is the server's JSON object, checked to be serialisable."""

    payload: dict[str, Any]


@dataclass(frozen=True)
class StreamAudio:
    """A complete piece of audio: reported to the application as a file, and queued for the caller if the stream's
    settings say so."""

    audio: bytes
    """In the format `kind`; raw is int16, little-endian, one channel, whole samples."""
    kind: str
    """One of raw, wav, mp3, ogg, pcmu, pcma."""
    rate: int | None
    """Hz, of raw, pcmu and pcma; None for wav, mp3 and ogg, which contain their rate."""
    fields: dict[str, Any]
    """The other members of the server's ``data``, checked to be serialisable as JSON."""


@dataclass(frozen=True)
class TextReceived:
    """A text for the application, JSON or not, exactly as sent."""

    text: str


@dataclass(frozen=True)
class HangUp:
    """The server ends the stream; the call goes on."""


class CallAction(Enum):
    """What a server may ask for that concerns the call itself, not its stream."""

    ANSWER = "answer"
    HANG_UP = "hang_up"
    TRANSFER = "transfer"
    SEND_DIGITS = "send_digits"


@dataclass(frozen=True)
class ControlCall:
    """The server asks for something to be done with the call. The application is told, by an event; it is done where
    the setting `call-control` allows it. The stream goes on.
    """

    action: CallAction
    argument: str = ""
    """Where to transfer the call to, the digits (0-9, *, #, A-D) for the other party, or why to hang up; "" if the
    server does not say. Untrusted text."""


@dataclass(frozen=True)
class Reply:
    """Send a message back: what the server has sent asks for nothing else than this answer, or for it as well."""

    message: OutMessage


@dataclass(frozen=True)
class ToolCall:
    """The model behind the server wants the application to do something; the application is told by an event, and
    answers by `ProtocolSession.tool_result`.
    """

    call_id: str
    name: str
    arguments: str
    """JSON as the model wrote it. Untrusted, and perhaps wrong."""


@dataclass(frozen=True)
class CallLater:
    """Call `ProtocolSession.later` with this name in so many seconds, unless that name is used again before, or the
    connection is over.
    """

    name: str
    seconds: float


@dataclass(frozen=True)
class ReportError:
    """The server tells of something that went wrong: for a ``stream_error``."""

    kind: str
    """As that of a MessageError."""
    text: str


@dataclass(frozen=True)
class CallerStopped:
    """The caller has stopped to speak: how long it takes until an answer is heard is for an event."""

    silence_ms: int = 0
    """How much of the caller's silence the server has waited for before it said so."""


@dataclass(frozen=True)
class UsageReported:
    """What the server counts, such as tokens, checked to be serialisable as JSON: for an event."""

    usage: dict[str, Any]


@dataclass(frozen=True)
class Reconnect:
    """Leave this connection and make another at once; what is queued for the caller plays on."""


Incoming = Union[PlayAudio, ClearAudio, SetCheckpoint, TranscriptionReceived, StreamAudio, TextReceived, HangUp,
                 ControlCall, Reply, PausePlayback, AskPlayback, ToolCall, CallLater,
                 ReportError, CallerStopped, UsageReported, Reconnect, AudioFlow]
