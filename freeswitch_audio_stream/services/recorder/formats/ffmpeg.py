"""The program FFmpeg: how it is started, what it may not do, and what it says.

It is given no file, no network and no protocol but its own pipes, and limits of memory, time and what it may write.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
from typing import Callable, Sequence

from ....errors import AudioStreamError

PROGRAM = "ffmpeg"
_LIMITS = {resource.RLIMIT_AS: 1 << 30, resource.RLIMIT_CPU: 4 * 3600, resource.RLIMIT_NOFILE: 32,
           resource.RLIMIT_FSIZE: 0}
_MOST_LINES = 20
"""That are told of one process: hostile audio can have it complain of every packet."""
_LONGEST_LINE = 300


class FfmpegMissing(AudioStreamError):
    """The program cannot be run here: why, and what to install."""


def is_there() -> bool:
    """Return whether compressed audio can be decoded, and encoded, on this machine."""
    return shutil.which(PROGRAM) is not None


class Ffmpeg:
    """One process, from a pipe to a pipe; on the event loop. `start` makes it."""

    def __init__(self, process: asyncio.subprocess.Process, tell: Callable[[str], None]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.input = process.stdin
        self.output = process.stdout
        self._process = process
        self._tell = tell
        self._lines = 0
        self._last = ""
        self._listening = asyncio.ensure_future(self._listen())

    @classmethod
    async def start(cls, arguments: Sequence[str], log_level: str, tell: Callable[[str], None]) -> Ffmpeg:
        """Return a process with these arguments; raise FfmpegMissing. `tell` gets what it writes to stderr, in lines,
        the first ones of a flood.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                PROGRAM, "-hide_banner", "-nostdin", "-loglevel", log_level, "-protocol_whitelist", "pipe", *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin"}, cwd="/")
        except OSError as error:
            raise FfmpegMissing("compressed audio needs the program FFmpeg, which cannot be run here "
                                f"({error.strerror}): install it (apt-get install ffmpeg), or use WAV") from error
        try:
            for what, most in _LIMITS.items():  # it has been given nothing yet
                resource.prlimit(process.pid, what, (most, most))
        except ProcessLookupError:
            pass  # it has ended already, and whoever feeds it is told
        return cls(process, tell)

    @property
    def complaint(self) -> str:
        """What it has said last, as a part of a sentence; empty: nothing."""
        return f" (FFmpeg: {self._last})" if self._last else ""

    async def wait(self) -> int:
        """Return its exit status once it has ended, and all that it has said has been told."""
        await asyncio.wait({self._listening})
        return await self._process.wait()

    async def kill(self) -> None:
        """End it, whatever it does."""
        self.interrupt()
        await self.wait()

    def interrupt(self) -> None:
        """End it, and wait for nothing."""
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        rest = ""
        while piece := await self._process.stderr.read(4096):
            *lines, rest = (rest + piece.decode(errors="replace")).replace("\r", "\n").split("\n")
            rest = rest[:_LONGEST_LINE]
            for line in lines:
                self._hear(line)
        self._hear(rest)

    def _hear(self, line: str) -> None:
        line = "".join(filter(str.isprintable, line)).strip()[:_LONGEST_LINE]
        if not line:
            return
        self._last = line
        self._lines += 1
        if self._lines <= _MOST_LINES:
            self._tell(line)
        elif self._lines == _MOST_LINES + 1:
            self._tell("and more, which is left out")
