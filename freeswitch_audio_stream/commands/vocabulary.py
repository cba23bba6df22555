"""What commands there are: frozen values, whichever grammar they were written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Mapping, Union

from ..audio import Encoding, Track
from ..config import Dialect

COMMUNITY_ID = "mod_audio_stream"
"""The stream id of a stream that was started without one, of which a call can have one."""


@dataclass(frozen=True)
class Start:
    """Stream a call; every value is valid in itself."""

    uuid: str
    stream_id: str
    url: str
    track: Track
    rate: int
    """Hz on the wire."""
    timeout: int
    """Seconds allowed to become connected; 0 = no limit, in the community dialect what connect_timeout says."""
    bidirectional: bool
    """Whether the server may send."""
    metadata: str | None = None
    """As it was given; JSON text in the stream API's dialect, any text that is not empty in the other."""
    encoding: Encoding = Encoding.L16
    """L16 or MULAW."""
    prefix: Mapping[str, str] = field(default_factory=dict)
    """Settings given before the URL, unchecked; they may hold a password."""
    dialect: Dialect = Dialect.STREAM_API
    """What the stream's settings and events are like: the grammar that it was started in decides."""
    captures: bool = True
    """Whether the server is to hear the call."""


@dataclass(frozen=True)
class Stop:
    """End a stream now; `reason` is "" when none was given."""

    uuid: str
    stream_id: str
    reason: str = ""


@dataclass(frozen=True)
class Pause:
    """Send no audio; stay connected."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class Resume:
    """Send audio again."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class GracefulShutdown:
    """Capture no more, send and play what is buffered, then end; `reason` is "" when none was given."""

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
class PausePlayback:
    """Play nothing to the caller; what comes from the server waits."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class ResumePlayback:
    """Play on from where the playback was paused."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class ClearPlayback:
    """Throw away what waits to be played."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class Status:
    """Describe a stream."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class MintToken:
    """Make a token that lets a client attach to one call, or to one conference."""

    kind: str
    """``call`` or ``conference``."""
    name: str
    """The call's uuid, or the conference's name."""
    seconds: int | None = None
    """How long it is good for; None = what the settings say."""


@dataclass(frozen=True)
class ListStreams:
    """Describe all streams."""


Command = Union[Start, Stop, Pause, Resume, GracefulShutdown, SendText, PausePlayback, ResumePlayback,
                ClearPlayback, Status, MintToken, ListStreams]

ENDS: Mapping[str, Callable[[str, str, str], Command]] = {
    "stop": Stop, "graceful-shutdown": GracefulShutdown,
}
"""The actions that are made of uuid, stream id and reason."""

WORDLESS: Mapping[str, Callable[[str, str], Command]] = {
    "pause": Pause, "resume": Resume, "pause_play": PausePlayback, "resume_play": ResumePlayback,
    "clear_play": ClearPlayback, "status": Status,
}
"""The actions that are made of uuid and stream id."""
