"""Compressed audio to samples: one FFmpeg for each connection that needs one, fed by a pipe, with one demultiplexer."""

from __future__ import annotations

import asyncio
from typing import Awaitable, Callable

from ..storage.interface import Recording
from .ffmpeg import Ffmpeg, FfmpegMissing
from .wav_input import FormatError

DEMULTIPLEXERS = {"mp3": "mp3", "flac": "flac", "aac": "aac", "ogg": "ogg", "webm": "matroska", "wav": "wav"}
_PIECE_BYTES = 1 << 16
_FEED_SECONDS = 30.0
_FINISH_SECONDS = 60.0

OnSamples = Callable[[bytes], Awaitable[None]]


class Decoder:
    """One stream of compressed audio; on the event loop."""

    def __init__(self, kind: str, recording: Recording, on_samples: OnSamples, log_level: str = "error",
                 tell: Callable[[str], None] = lambda line: None) -> None:
        """`kind` is one of `DEMULTIPLEXERS`. `on_samples` gets whole samples of the recording's rate and channels, and
        nothing more is decoded before it has returned. `tell` gets the lines that FFmpeg logs at that level.
        """
        self._arguments = (
            "-threads", "1", "-probesize", "32768", "-analyzeduration", "0", "-f", DEMULTIPLEXERS[kind], "-i", "pipe:0",
            "-map", "0:a:0", "-vn", "-sn", "-dn", "-threads", "1", "-f", "s16le", "-acodec", "pcm_s16le",
            "-ar", str(recording.rate), "-ac", str(recording.channels), "-flush_packets", "1", "pipe:1")
        self._kind = kind
        self._frame = recording.frame_bytes
        self._on_samples = on_samples
        self._log_level = log_level
        self._tell = tell
        self._order = asyncio.Lock()
        self._ffmpeg: Ffmpeg | None = None
        self._reading: asyncio.Task[None] | None = None

    async def feed(self, data: bytes) -> None:
        """Give it bytes, in the order of the calls; raise FormatError where it takes them no more."""
        async with self._order:
            ffmpeg = self._ffmpeg or await self._start()
            assert self._reading is not None
            if self._reading.done() and self._reading.exception() is not None:
                self._reading.result()
            try:
                ffmpeg.input.write(data)
                await asyncio.wait_for(ffmpeg.input.drain(), _FEED_SECONDS)
            except (ConnectionError, asyncio.TimeoutError) as error:
                await ffmpeg.kill()
                raise FormatError(f"FFmpeg cannot decode this as {self._kind}: send what the parameter format says, "
                                  f"from its beginning{ffmpeg.complaint}") from error

    async def finish(self) -> None:
        """Decode what is left; raise FormatError where it could not all be decoded."""
        async with self._order:
            ffmpeg = self._ffmpeg
            if ffmpeg is None or self._reading is None:
                return
            try:
                ffmpeg.input.close()
                await asyncio.wait_for(self._reading, _FINISH_SECONDS)
                status = await asyncio.wait_for(ffmpeg.wait(), _FINISH_SECONDS)
            except asyncio.TimeoutError as error:
                raise FormatError(f"FFmpeg has not decoded this {self._kind} in time") from error
            finally:
                await ffmpeg.kill()
            if status:
                raise FormatError(f"FFmpeg could not decode all of this {self._kind} (exit status {status})"
                                  f"{ffmpeg.complaint}")

    async def _start(self) -> Ffmpeg:
        try:
            ffmpeg = self._ffmpeg = await Ffmpeg.start(self._arguments, self._log_level, self._tell)
        except FfmpegMissing as error:
            raise FormatError(str(error)) from error
        self._reading = asyncio.ensure_future(self._read(ffmpeg))
        return ffmpeg

    async def _read(self, ffmpeg: Ffmpeg) -> None:
        rest = b""
        try:
            while piece := await ffmpeg.output.read(_PIECE_BYTES):
                piece = rest + piece
                whole = len(piece) - len(piece) % self._frame
                rest = piece[whole:]
                if whole:
                    await self._on_samples(piece[:whole])
        except BaseException:
            ffmpeg.interrupt()
            raise
