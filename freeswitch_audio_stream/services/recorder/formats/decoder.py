"""Compressed audio to samples: one FFmpeg for each connection that needs one, fed by a pipe.

It is given no file, no network and no protocol but its own pipes, one demultiplexer, and limits of memory and time.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
from typing import Awaitable, Callable

from ..storage.interface import Recording
from .wav_input import FormatError

PROGRAM = "ffmpeg"
DEMULTIPLEXERS = {"mp3": "mp3", "flac": "flac", "aac": "aac", "ogg": "ogg", "webm": "matroska", "wav": "wav"}
_PIECE_BYTES = 1 << 16
_FEED_SECONDS = 30.0
_FINISH_SECONDS = 60.0
_LIMITS = {resource.RLIMIT_AS: 1 << 30, resource.RLIMIT_CPU: 4 * 3600, resource.RLIMIT_NOFILE: 32,
           resource.RLIMIT_FSIZE: 0}

OnSamples = Callable[[bytes], Awaitable[None]]


def is_there() -> bool:
    """Return whether compressed audio can be decoded on this machine."""
    return shutil.which(PROGRAM) is not None


class Decoder:
    """One stream of compressed audio; on the event loop."""

    def __init__(self, kind: str, recording: Recording, on_samples: OnSamples, log_level: str = "error") -> None:
        """`kind` is one of `DEMULTIPLEXERS`. `on_samples` gets whole samples of the recording's rate and channels, and
        nothing more is decoded before it has returned.
        """
        self._command = (
            PROGRAM, "-hide_banner", "-nostdin", "-loglevel", log_level, "-threads", "1", "-protocol_whitelist", "pipe",
            "-probesize", "32768", "-analyzeduration", "0", "-f", DEMULTIPLEXERS[kind], "-i", "pipe:0", "-map", "0:a:0",
            "-vn", "-sn", "-dn", "-threads", "1", "-f", "s16le", "-acodec", "pcm_s16le", "-ar", str(recording.rate),
            "-ac", str(recording.channels), "-flush_packets", "1", "pipe:1")
        self._kind = kind
        self._frame = recording.frame_bytes
        self._on_samples = on_samples
        self._order = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def feed(self, data: bytes) -> None:
        """Give it bytes, in the order of the calls; raise FormatError where it takes them no more."""
        async with self._order:
            process = self._process or await self._start()
            assert process.stdin is not None and self._reading is not None
            if self._reading.done() and self._reading.exception() is not None:
                self._reading.result()
            try:
                process.stdin.write(data)
                await asyncio.wait_for(process.stdin.drain(), _FEED_SECONDS)
            except (ConnectionError, asyncio.TimeoutError) as error:
                await self.kill()
                raise FormatError(f"FFmpeg cannot decode this as {self._kind}: send what the parameter format says, "
                                  "from its beginning") from error

    async def finish(self) -> None:
        """Decode what is left; raise FormatError where it could not all be decoded."""
        async with self._order:
            if self._process is None or self._reading is None:
                return
            assert self._process.stdin is not None
            try:
                self._process.stdin.close()
                await asyncio.wait_for(self._reading, _FINISH_SECONDS)
                status = await asyncio.wait_for(self._process.wait(), _FINISH_SECONDS)
            except asyncio.TimeoutError as error:
                raise FormatError(f"FFmpeg has not decoded this {self._kind} in time") from error
            finally:
                await self.kill()
            if status:
                raise FormatError(f"FFmpeg could not decode all of this {self._kind} (exit status {status})")

    async def kill(self) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
            await self._process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, env={"PATH": "/usr/local/bin:/usr/bin:/bin"}, cwd="/")
        except OSError as error:
            raise FormatError("compressed audio needs the program FFmpeg, which cannot be run here "
                              f"({error.strerror}): install it (apt-get install ffmpeg), or send WAV") from error
        for what, most in _LIMITS.items():  # it has been given nothing yet
            resource.prlimit(process.pid, what, (most, most))
        self._process = process
        self._reading = asyncio.ensure_future(self._read(process))
        return process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        try:
            while piece := await process.stdout.read(_PIECE_BYTES):
                piece = rest + piece
                whole = len(piece) - len(piece) % self._frame
                rest = piece[whole:]
                if whole:
                    await self._on_samples(piece[:whole])
        except BaseException:
            process.kill()
            raise
