"""Samples to compressed audio: one FFmpeg for each answer, from a pipe to a pipe."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import AsyncIterator, Callable

from ..storage.interface import Recording
from .ffmpeg import Ffmpeg

_PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Encoding:
    """One kind of compressed audio."""

    media_type: str
    suffix: str
    arguments: tuple[str, ...]


ENCODINGS = {
    "mp3": Encoding("audio/mpeg", "mp3", ("-c:a", "libmp3lame", "-q:a", "4", "-f", "mp3")),
    "flac": Encoding("audio/flac", "flac", ("-c:a", "flac", "-f", "flac")),
    "opus": Encoding("audio/ogg", "opus", ("-c:a", "libopus", "-f", "ogg")),
}


class Encoder:
    """One recording on its way out; on the event loop. `start`, then `pieces`, then `end` in any case."""

    def __init__(self, kind: str, recording: Recording, log_level: str = "error",
                 tell: Callable[[str], None] = lambda line: None) -> None:
        """`kind` is one of `ENCODINGS`; `tell` gets the lines that FFmpeg logs at that level."""
        self._arguments = ("-threads", "1", "-f", "s16le", "-ar", str(recording.rate), "-ac", str(recording.channels),
                           "-i", "pipe:0", "-threads", "1", *ENCODINGS[kind].arguments, "-flush_packets", "1", "pipe:1")
        self._log_level = log_level
        self._tell = tell
        self._ffmpeg: Ffmpeg | None = None

    async def start(self) -> None:
        """Start FFmpeg; raise FfmpegMissing."""
        self._ffmpeg = await Ffmpeg.start(self._arguments, self._log_level, self._tell)

    async def pieces(self, samples: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the encoded audio, no faster than it is taken. Raise what `samples` raises, or OSError where FFmpeg has
        failed.
        """
        assert self._ffmpeg is not None
        feeding = asyncio.ensure_future(self._feed(self._ffmpeg, samples))
        try:
            while piece := await self._ffmpeg.output.read(_PIECE_BYTES):
                yield piece
            status = await self._ffmpeg.wait()
            if status:
                raise OSError(f"FFmpeg has ended with exit status {status}{self._ffmpeg.complaint}")
            await feeding
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    def end(self) -> None:
        """End FFmpeg, if it has not ended; does not wait, as whoever is cancelled cannot."""
        if self._ffmpeg is not None:
            self._ffmpeg.interrupt()

    @staticmethod
    async def _feed(ffmpeg: Ffmpeg, samples: AsyncIterator[bytes]) -> None:
        try:
            async for piece in samples:
                ffmpeg.input.write(piece)
                await ffmpeg.input.drain()
            ffmpeg.input.close()
        except ConnectionError:
            pass  # it has ended, and its exit status says why
        except BaseException:
            ffmpeg.interrupt()  # what is missing at its end is no audio that anybody should take for whole
            raise
