"""The commands: frozen values, the same for both grammars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Mapping, Union

from ..audio import Encoding, Track
from ..config import Dialect

COMMUNITY_ID = "mod_audio_stream"
"""Stream id of a stream started without one, in the community module's grammar; one for each call."""


@dataclass(frozen=True)
class Start:
    """Start a stream. Each value has been checked on its own, but for `prefix`."""

    uuid: str
    stream_id: str
    url: str
    track: Track
    rate: int
    """Hz on the wire."""
    timeout: int
    """Seconds within which to connect; 0 = no limit, or in the community dialect as the setting connect_timeout
    says."""
    bidirectional: bool
    """Whether the server may send audio and messages."""
    metadata: str | None = None
    """Metadata as given: JSON text in the stream API's dialect, any text that is not empty in the community's."""
    encoding: Encoding = Encoding.L16
    """L16 or MULAW."""
    prefix: Mapping[str, str] = field(default_factory=dict)
    """Settings given before the URL, by name, unchecked; they may contain a password."""
    dialect: Dialect = Dialect.STREAM_API
    """The grammar in which the stream was started; it decides on names of events and defaults of settings."""
    captures: bool = True
    """Whether the call's audio is sent to the server."""


@dataclass(frozen=True)
class Stop:
    """End a stream now; `reason` is "" if not given."""

    uuid: str
    stream_id: str
    reason: str = ""


@dataclass(frozen=True)
class Pause:
    """Stop sending audio, and stay connected."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class Resume:
    """Send audio again."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class GracefulShutdown:
    """Stop capturing, send and play what is buffered, then end the stream; `reason` is "" if not given."""

    uuid: str
    stream_id: str
    reason: str = ""


@dataclass(frozen=True)
class SendText:
    """Send `text`, which is not empty, to the server."""

    uuid: str
    stream_id: str
    text: str


@dataclass(frozen=True)
class ToolResult:
    """Answer a function call of the model behind the server: `output` is any text, which is not empty."""

    uuid: str
    stream_id: str
    call_id: str
    output: str


@dataclass(frozen=True)
class PausePlayback:
    """Stop playing to the caller; audio from the server is queued."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class ResumePlayback:
    """Continue playing where playback was paused."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class ClearPlayback:
    """Discard the audio that is queued for the caller."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class Status:
    """Describe a stream."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class MintToken:
    """Create a token with which a client of the media server can attach to one call or one conference."""

    kind: str
    """``call`` or ``conference``."""
    name: str
    """UUID of the call, or name of the conference."""
    seconds: int | None = None
    """Lifetime in seconds; None = as the settings say."""


@dataclass(frozen=True)
class ListStreams:
    """Describe all streams."""


Command = Union[Start, Stop, Pause, Resume, GracefulShutdown, SendText, ToolResult, PausePlayback,
                ResumePlayback, ClearPlayback, Status, MintToken, ListStreams]

ENDS: Mapping[str, Callable[[str, str, str], Command]] = {
    "stop": Stop, "graceful-shutdown": GracefulShutdown,
}
"""Commands whose fields are uuid, stream_id and reason, by action."""

WORDLESS: Mapping[str, Callable[[str, str], Command]] = {
    "pause": Pause, "resume": Resume, "pause_play": PausePlayback, "resume_play": ResumePlayback,
    "clear_play": ClearPlayback, "status": Status,
}
"""Commands whose fields are uuid and stream_id, by action."""
