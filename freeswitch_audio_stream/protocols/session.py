"""What a wire format has to provide: `WireProtocol` says what it carries, `ProtocolSession` speaks it.

Neither has a clock, a socket or a thread: a session takes bytes and gives bytes, so a new platform is one file with a
class of each, and its tests. Audio does not pass through a session: `WireProtocol.media` describes the media messages
once, and the compiled core writes them (see `messages.MediaTemplate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Sequence

from ..audio import Encoding, Track
from ..errors import MessageError
from .messages import Incoming, MediaTemplate, OutMessage, StreamInfo


class Carrier(Enum):
    """What carries the messages of a protocol."""

    WEBSOCKET = "websocket"
    AUDIOSOCKET = "audiosocket"
    """TCP, and on it nothing but AudioSocket frames."""


class ProtocolSession:
    """One stream's conversation over one connection: a new connection gets a new session.

    This base says nothing and understands nothing; a format overrides what it has messages for. What is returned is
    sent in that order. All methods are called on the stream's dispatcher, one at a time, but for `text`, which any
    thread may call; none of them blocks.
    """

    def __init__(self, info: StreamInfo) -> None:
        self.info = info

    def opening(self) -> Sequence[OutMessage]:
        """Return what is sent first on the connection, before any audio."""
        return ()

    def closing(self, reason: str) -> Sequence[OutMessage]:
        """Return what is sent last, before the connection is closed; `reason` may be ""."""
        return ()

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        """Return what tells of a key (0-9, *, #, A-D) that the caller pressed for `duration_ms` milliseconds."""
        return ()

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        """Return what answers a `SetCheckpoint` or a `PlayAudio.checkpoint` of the server: `status` is "played" when
        the caller has heard all before it, and "cleared" when not.
        """
        return ()

    def heard(self, item: str, milliseconds: int, complete: bool) -> Sequence[OutMessage]:
        """Return what tells how much the caller has heard of the audio that came as `PlayAudio.item`: all of it
        (`complete`), or as many milliseconds as had been played when the rest was cleared.
        """
        return ()

    def text(self, text: str) -> Sequence[OutMessage]:
        """Return what carries a text of the application's own. Any thread."""
        return ()

    def receive(self, message: bytes) -> Sequence[Incoming]:
        """Return what a text message of the server asks for.

        `message` is foreign, but UTF-8. Raise MessageError for what the format does not have, and nothing else: the
        stream reports it and goes on.
        """
        raise MessageError("text", "a text message came, and there is none in this protocol")

    def receive_frame(self, kind: int, payload: bytes) -> Sequence[Incoming]:
        """Return what an AudioSocket frame asks for that is not audio; raise MessageError as `receive` does."""
        return ()


@dataclass(frozen=True)
class WireProtocol:
    """A wire format: what it can carry, how audio travels in it, and how it is spoken. Without state; any thread."""

    name: str
    """The value of the setting `protocol` that selects it."""
    carrier: Carrier = Carrier.WEBSOCKET
    encapsulation: str = ""
    """What there is in binary messages: "rtp", "sln" or "audiosocket", of path_format.ENCAPSULATIONS; "" where they
    are bare samples that compete with text messages."""
    packet_ms: int | None = None
    """Milliseconds of audio in a media message; None where the setting `chunk-ms` chooses."""
    interleaves_both: bool = False
    """Whether the track "both" is one message with two channels; else each track has messages of its own."""
    has_text: bool = True
    """Whether the application and the server can exchange texts."""
    takes_deflate: bool = True
    """Whether its messages may be compressed; no where compiled code has to take them as they come."""
    counts_anew: bool = False
    """Whether sequence numbers, chunks and timestamps begin anew on each connection, rather than with the stream."""

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        """Return the track and encoding that are carried where those are asked for, at `rate` Hz; raise SettingError
        where the format has nothing of the kind.
        """
        return track, encoding

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        """Return the media message of `track`: of one of the parts of the stream's track, or of the whole of it where
        a message has two channels.
        """
        return MediaTemplate((), info.encoding)

    def open(self, info: StreamInfo) -> ProtocolSession:
        """Return the session for a new connection."""
        return ProtocolSession(info)
