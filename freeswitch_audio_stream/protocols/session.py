"""What a wire format has to provide: `WireProtocol` says what it carries, `ProtocolSession` speaks it.

Neither has a clock, a socket or a thread: a session takes bytes and gives bytes, so a new platform is one file with a
class of each, and its tests. Audio does not pass through a session: `WireProtocol.media` describes the media messages
once, and the compiled core writes them (see `messages.MediaTemplate`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Callable, Mapping, Sequence

from ..audio import Encoding, Track
from ..errors import MessageError
from .messages import ACCOUNT_VARIABLES, Handshake, Incoming, MediaTemplate, OutMessage, StreamInfo


class Carrier(Enum):
    """The transport that a protocol uses."""

    WEBSOCKET = "websocket"
    AUDIOSOCKET = "audiosocket"
    """TCP, on which everything is an AudioSocket frame."""
    HTTP = "http"
    """Requests that post audio on one connection, and requests for what is to be heard on another."""


class ProtocolSession:
    """One stream's messages over one connection: each connection gets a new session.

    This base class sends nothing and refuses all text messages; a format overrides the methods it has messages for.
    Messages returned are sent in that order. All methods are called on the stream's dispatcher thread, one at a time,
    except `text`, which any thread may call. None blocks.
    """

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self.audio_ms: Callable[[], int] = lambda: 0
        """Returns how many ms of the call's audio have been sent or left out on the connection; the stream sets it.
        Any thread."""
        self.elapsed_ms: Callable[[], int] = lambda: 0
        """Returns how many ms the connection is old; the stream sets it. Any thread."""

    def opening(self) -> Sequence[OutMessage]:
        """Return the messages to send first on the connection, before any audio."""
        return ()

    def closing(self, reason: str) -> Sequence[OutMessage]:
        """Return the messages to send last, before the connection is closed; `reason` may be ""."""
        return ()

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        """Return the messages that report a digit (0-9, *, #, A-D) that the caller pressed for `duration_ms` ms."""
        return ()

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        """Return the messages that report the checkpoint of a `SetCheckpoint` or `PlayAudio`: `status` is "played" if
        the caller has heard all audio before it, "cleared" if the audio was discarded.
        """
        return ()

    def heard(self, item: str, milliseconds: int, complete: bool) -> Sequence[OutMessage]:
        """Return the messages that report how much the caller has heard of the audio with this `PlayAudio.item`.

        `milliseconds` is the total of all its audio so far that was heard, rounded down; 0 if none was. Where
        `complete`, that is all that has come by now: more may come, and is then reported as well. Else the rest was
        cleared. Items of an earlier connection are not reported to a new one.
        """
        return ()

    def playback(self, queued_ms: int, paused: bool) -> Sequence[OutMessage]:
        """Return the messages that answer `AskPlayback`: `queued_ms` milliseconds of audio wait for the caller."""
        return ()

    def playback_level(self, is_high: bool) -> Sequence[OutMessage]:
        """Return the messages that tell the server that the queue for the caller has come to the upper of
        `WireProtocol.playback_levels_ms`, or below the lower again.
        """
        return ()

    def overflowed(self, queued_ms: int) -> Sequence[OutMessage]:
        """Return the messages that tell the server that audio of its was dropped, for `queued_ms` ms wait already."""
        return ()

    def tool_result(self, call_id: str, output: str) -> Sequence[OutMessage]:
        """Return the messages that answer a `ToolCall`; none where nobody waits for that answer."""
        return ()

    def later(self, name: str) -> Sequence[Incoming]:
        """Return what follows from the end of the time of `CallLater`."""
        return ()

    def again(self) -> ProtocolSession | None:
        """Return the session for the next connection, where it is to know of this one; None: any new one will do."""
        return None

    def text(self, text: str) -> Sequence[OutMessage]:
        """Return the messages that carry the application's own `text`. Any thread."""
        return ()

    def receive(self, message: bytes) -> Sequence[Incoming]:
        """Return what a text message from the server asks for, in order.

        `message` is untrusted, but valid UTF-8. Raise MessageError for what the format does not define, and nothing
        else: the stream reports that error and continues.
        """
        raise MessageError("text", "a text message came, and there is none in this protocol")

    def refused(self, error: MessageError) -> Sequence[OutMessage]:
        """Return the messages that tell the server that `receive` has refused a message of its for `error`."""
        return ()

    def receive_frame(self, kind: int, payload: bytes) -> Sequence[Incoming]:
        """Return what an AudioSocket frame other than audio asks for; raise MessageError as `receive` does."""
        return ()


@dataclass(frozen=True)
class WireProtocol:
    """A wire format: which audio it carries, how, and its sessions. Immutable: any thread may use it."""

    name: str
    """The value of the setting `protocol` that selects it."""
    carrier: Carrier = Carrier.WEBSOCKET
    encapsulation: str = ""
    """Content of binary messages: "rtp", "sln" or "audiosocket" of `path_format.ENCAPSULATIONS`; "" where they are
    bare samples and there are text messages as well."""
    packet_ms: int | None = None
    """Milliseconds of audio in a media message; None where the setting `chunk-ms` chooses."""
    interleaves_both: bool = False
    """Whether the track "both" is sent as messages with two channels rather than as separate messages per track."""
    has_text: bool = True
    """Whether the application and the server can exchange text messages."""
    subprotocol: str | None = None
    """The WebSocket subprotocols to offer, with commas between them, where the setting `subprotocol-name` is as it is
    by default; "" offers none. None = what the setting says."""
    permit_seconds: float = 0.0
    """How long the server may take to allow audio (`AllowAudio`) after the opening; until then none is sent, and then
    `ProtocolSession.later` is called with "opening". It is listened to on a one-way stream, too. 0: audio follows the
    opening at once."""
    playback_levels_ms: tuple[int, int] = (0, 0)
    """Milliseconds of audio in the queue for the caller from which on `ProtocolSession.playback_level` says that it is
    high, and below which then no longer; 0: it says nothing."""
    farewell_seconds: float = 0.0
    """How long the server may take to answer `ProtocolSession.closing` with what is read as `HangUp`, before the
    connection is closed. 0: there is no answer."""
    takes_key: bool = False
    """Whether the handshake shows the key of the setting `api-key`."""
    key_header: str = "Authorization"
    """The header that carries it, where the setting `api-key-header` is as it is by default."""
    key_scheme: str = "Bearer"
    """What stands before it in the header Authorization."""
    has_binary: bool = True
    """Whether binary messages from the server are audio; else each is an error of its."""
    text_is_binary: bool = False
    """Whether binary messages from the server are read as text messages are."""
    final_closes: frozenset[int] = frozenset()
    """Close codes after which the server would only refuse again, beside 1000, 1001, 1008 and 4000 to 4999."""
    takes_deflate: bool = True
    """Whether messages may be compressed (RFC 7692); not where compiled code parses the received frames."""
    defaults: Mapping[str, int] = field(default_factory=dict)
    """Defaults of settings, by attribute, that differ from the usual ones."""
    chunk_range: tuple[int, int] = (10, 1000)
    """Least and most milliseconds of audio in a media message; the setting `chunk-ms` is brought into it."""
    variables: tuple[str, ...] = ACCOUNT_VARIABLES
    """Channel variables whose values `StreamInfo.account` has, where they are set."""
    audio_is_alike: bool = False
    """Whether a text message of audio is read by itself: what `receive` returns for it depends on nothing else, and
    changes nothing. Then the compiled core takes those that differ from an earlier one in their audio alone."""
    counts_anew: bool = False
    """Whether sequence numbers, chunks and timestamps start again on each connection instead of once per stream."""

    is_one_way: bool = False
    """Whether the server has nothing to say to the caller and the application, so that the flag of `start` which asks
    for that means nothing."""
    acknowledges: bool = False
    """Whether the server acknowledges audio, which is kept until then, and delivered after the call's end as well."""

    def chunk_limits(self, info: StreamInfo) -> tuple[int, int]:
        """Return the least and most milliseconds of audio in a media message of a stream."""
        return self.chunk_range

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        """Return the track and encoding that the format carries when these are asked for, at `rate` Hz; raise
        SettingError if it cannot carry them.
        """
        return track, encoding

    def handshake(self, info: StreamInfo, handshake: Handshake) -> Mapping[str, str]:
        """Return headers of the handshake, which show key and secret in the platform's way. Any thread."""
        return {}

    def check_text(self, text: str) -> None:
        """Raise RefusedError where the application's text is none that the protocol can send."""

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        """Return the template of the media messages of `track`: for a stream of the track "both", "inbound" or
        "outbound" unless the format interleaves both; else the stream's own track.
        """
        return MediaTemplate((), info.encoding)

    def templates(self, info: StreamInfo) -> list[MediaTemplate]:
        """Return what the core is given: the template of each message that one chunk of audio becomes."""
        tracks = (info.track,) if info.channels == 2 else info.track.parts
        return [self.media(info, track) for track in tracks]

    def open(self, info: StreamInfo) -> ProtocolSession:
        """Return the session for a new connection."""
        return ProtocolSession(info)
