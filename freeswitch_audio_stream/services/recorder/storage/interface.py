"""What every store of audio does: it makes bytes durable before it says so, and turns them into one WAV file.

A recording has streams of bytes. Stream `AUDIO` is its samples, 16-bit little-endian, channels interleaved: what the
WAV file will hold. The others are what clients have sent compressed, kept until the samples are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Awaitable, Mapping, Protocol

from ....errors import AudioStreamError

AUDIO = 0
"""The stream of samples."""
SAMPLE_BYTES = 2
LONGEST_NOTE = 255
"""Bytes."""


class StoreError(AudioStreamError):
    """The store could not do it: what, and the remedy. What it has acknowledged before is safe."""


class StorageFull(StoreError):
    """There is no room: the disk is full, or the user's share of it."""


class UnknownRecording(StoreError):
    """The store has no such recording."""


class Interrupted(StoreError):
    """This process cannot go on with the recording: another does, or what it is stored in is away. What was
    acknowledged is safe, and the recording goes on where it is asked for next.
    """


@dataclass(frozen=True)
class Recording:
    """What a recording is from its beginning on."""

    id: str
    """A UUID in its usual form, lower case."""
    rate: int
    """Hz."""
    channels: int
    user: str = ""
    format: str = "wav"
    """What the client said it would send."""
    created: float = 0.0
    """Seconds since 1970."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * SAMPLE_BYTES

    def seconds(self, audio_bytes: int) -> float:
        """Return how long so many bytes of samples last."""
        return audio_bytes / (self.rate * self.frame_bytes)


@dataclass(frozen=True)
class Progress:
    """How far a recording has come; it becomes durable together with the bytes of the same write."""

    chunks: int = 0
    """Messages with audio, so far."""
    received: int = 0
    """Bytes of those messages, so far."""
    note: bytes = b""
    """What whoever writes wants to find again after a crash; `LONGEST_NOTE` bytes at most."""


@dataclass(frozen=True)
class Write:
    """One step of a recording: all of it is durable, or none."""

    parts: tuple[tuple[int, bytes], ...]
    """Streams, and the bytes to add to each."""
    progress: Progress


@dataclass
class Unfinished:
    """A recording that has begun, and may go on after any crash."""

    recording: Recording
    lengths: dict[int, int] = field(default_factory=dict)
    """Durable bytes, by stream."""
    progress: Progress = Progress()
    damage: str = ""
    """What could not be recovered as it was, in words; empty: nothing is missing."""

    def length(self, stream: int = AUDIO) -> int:
        """Return the durable bytes of a stream."""
        return self.lengths.get(stream, 0)


@dataclass(frozen=True)
class Stored:
    """A finished recording."""

    place: str
    """Of its WAV file: a path, or a URL."""
    audio_bytes: int


class AudioStore(Protocol):
    """One for a process. All methods are for its event loop; none blocks it, and each raises StoreError."""

    @property
    def unfinished(self) -> Mapping[str, Unfinished]:
        """What was unfinished when the store was opened, and what has been begun since; by id."""

    async def begin(self, recording: Recording) -> None:
        """Begin a recording; on return it is durable."""

    def append(self, id: str, write: Write) -> Awaitable[None]:
        """Add to an unfinished recording; what is returned is done when that is durable (unless the sync policy says
        otherwise): a future, or a coroutine, which begins when it is awaited or made a task.

        Writes of one recording are carried out in the order in which they begin. One that fails changes nothing, and
        those after it fail as well: what is stored has no gap. The recording can only be finished then.
        """

    async def read(self, id: str, offset: int, most: int, stream: int = AUDIO) -> bytes:
        """Return up to `most` bytes of a stream from `offset` on; of a finished recording, of its samples."""

    async def finish(self, id: str) -> Stored:
        """Make the WAV file of an unfinished recording; on return it is durable, and has its name."""

    async def stored(self, id: str) -> Stored:
        """Return what a finished recording is; raise UnknownRecording where there is none."""

    async def delete(self, id: str) -> None:
        """Remove a recording, finished or not; on return it will not come back. Removing nothing is no error."""

    async def close(self) -> None:
        """Make everything durable and let go of it. What is unfinished will be there at the next start."""
