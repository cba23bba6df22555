"""`Receiver`: the benchmark's hand on the receiver's process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Callable, NamedTuple, Sequence

import numpy as np
import orjson

from ..child import Child
from ..errors import BenchError
from ..histogram import Quantiles, quantiles
from .records import (BASE64_REPLY, L16_REPLY, PLAIN_REPLY, REPLY_AT_TIMES, REPLY_BYTES, REPLY_NEVER, REPLY_TO_EACH,
                      REPLY_TO_FIRST, RTP_REPLY, STAMPS_OFF)
from .shared_memory import SharedMemory


class Reply(NamedTuple):
    """A complete frame, and where its audio is."""

    frame: bytes
    audio_at: int
    audio_bytes: int
    base64: bool
    rtp: bool = False
    """Whether it is a packet, masked, that has to be numbered."""


class Heard(NamedTuple):
    """What came while recording."""

    seconds: float
    frames: int
    unread: int
    """Frames without a stamp, where stamps were looked for."""
    gaps: Quantiles
    ages: Quantiles


class Receiver:
    """A WebSocket server that costs little, or a client; also a context manager.

    Stream number n connects to ``url(n)``, or `attach` connects it. Times are those of ``time.monotonic_ns``.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        """`certificate` is a PEM file with its key, for streams that use TLS."""
        # Shared memory proper where there is any, so that counting never touches a disk.
        folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="audio-stream-bench-", dir=folder)
        file = Path(self._folder.name) / "receiver"
        self._memory = SharedMemory.create(file)
        self._control = self._memory.control[0]
        self.certificate = certificate
        self._process = Child(f"{__package__}.receiver_process", file, *filter(None, [certificate]))
        self.pid = self._process.pid
        self._began = 0.0
        try:
            self.port, self._tls_port = map(int, self._process.answer().split())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._control["stop"] = 1
        self._process.close()
        self._folder.cleanup()

    def check(self) -> None:
        """Raise BenchError if the process has ended."""
        self._process.check()

    def url(self, number: int, tls: bool = False) -> str:
        """Where stream `number` connects."""
        if tls and not self._tls_port:
            raise BenchError("the receiver has no certificate for wss")
        return f"wss://127.0.0.1:{self._tls_port}/{number}" if tls else f"ws://127.0.0.1:{self.port}/{number}"

    def attach(self, number: int, port: int, resource: str) -> str:
        """Connect stream `number` as a client to a server on this machine; return what is against it, "" for nothing.
        """
        self._process.tell(orjson.dumps([number, port, resource]).decode())
        return self._process.answer()

    # Orders

    def look_every(self, seconds: float) -> None:
        """Look for audio so often, at least once a second, without being woken by it; 0: be woken, as at first."""
        if not 0 <= seconds < 1:
            raise ValueError(f"{seconds} s between two looks is not below a second")
        self._control["nap_us"] = int(1e6 * seconds)

    def look_for_stamps(self, kind: int = STAMPS_OFF) -> None:
        """STAMPS_…: where the audio of the streams is."""
        self._control["stamps"] = kind

    def reply_never(self) -> None:
        """Only listen."""
        self._control["reply_mode"] = REPLY_NEVER

    def reply_to_each(self, reply: Reply) -> None:
        """Answer every frame."""
        self._prepare(reply, RTP_REPLY if reply.rtp else PLAIN_REPLY)
        self._control["reply_mode"] = REPLY_TO_EACH

    def reply_to_first(self, reply: Reply) -> None:
        """Answer the first frame of each connection."""
        self._prepare(reply, PLAIN_REPLY)
        self._control["reply_mode"] = REPLY_TO_FIRST

    def reply_at_times(self, reply: Reply, interval: float) -> None:
        """Send every connection a stamped reply, again and again, after `interval` to twice as many seconds."""
        self._prepare(reply, BASE64_REPLY if reply.base64 else L16_REPLY)
        self._control["reply_interval_ns"] = int(1e9 * interval)
        self._control["reply_mode"] = REPLY_AT_TIMES

    def _prepare(self, reply: Reply, kind: int) -> None:
        self.reply_never()
        if len(reply.frame) > REPLY_BYTES:
            raise ValueError(f"a reply of {len(reply.frame)} bytes is too long")
        self._memory.reply[:len(reply.frame)] = np.frombuffer(reply.frame, np.uint8)
        self._control["reply_bytes"], self._control["reply_kind"] = len(reply.frame), kind
        self._control["reply_audio_at"], self._control["reply_audio_bytes"] = reply.audio_at, reply.audio_bytes

    # What came

    def record(self) -> None:
        """Begin to count, from nothing."""
        self._control["recording"] = 0
        self._memory.gaps[:], self._memory.ages[:] = 0, 0
        self._control["heard"], self._control["unread"] = 0, 0
        self._began = time.monotonic()
        self._control["recording"] = 1

    def heard(self) -> Heard:
        """What came since `record`; counting goes on."""
        seconds = time.monotonic() - self._began
        return Heard(seconds, int(self._control["heard"]), int(self._control["unread"]),
                     quantiles(self._memory.gaps), quantiles(self._memory.ages))

    @property
    def reply_faults(self) -> int:
        """Connections that were given up because a client did not read."""
        return int(self._control["reply_faults"])

    def frames(self, number: int) -> int:
        """Frames of a stream since it connected."""
        return int(self._memory.connections[number]["frames"])

    def connected_at(self, number: int) -> int:
        """When the stream's handshake came; 0 if it has not."""
        return int(self._memory.connections[number]["connected_at"])

    def first_at(self, number: int) -> int:
        """When the stream's first byte came; 0 if it has not."""
        return int(self._memory.connections[number]["first_at"])

    def forget(self, number: int) -> None:
        """Make a slot whose connection has ended look unused."""
        self._memory.connections[number]["connected_at"] = self._memory.connections[number]["first_at"] = 0
        self._memory.connections[number]["frames"] = 0

    def open_connections(self) -> int:
        """Return how many streams are connected."""
        return int((self._memory.connections["fd"] >= 0).sum())

    def flowing(self, numbers: Sequence[int], frames: int) -> int:
        """Return how many of these streams have sent so many frames."""
        return int((self._memory.connections["frames"][list(numbers)] >= frames).sum())


def wait_until(condition: Callable[[], bool], timeout: float, step: float = 0.01) -> bool:
    """Ask every `step` seconds; False where it did not become true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True
