"""What one connection sends: raw samples, or WAV files, in messages of any length.

What begins with RIFF is WAV: where its format is the session's, its samples go on, and what follows them is left out.
What has to be decoded is told by `Compressed`. Everything else, and all where the client says so, is raw samples,
16-bit little-endian, of the session's rate and channels. Pure; one for a connection.
"""

from __future__ import annotations

from ....errors import AudioStreamError
from ..settings import PCM
from ..storage.interface import Recording
from ..storage.wav import WavHeader, read_header

LONGEST_HEADER = 65_536
_BITS = 16


class FormatError(AudioStreamError):
    """The audio is of a kind that cannot be recorded in this session: which, and what to send."""


class Compressed(Exception):
    """What comes is to be decoded: its kind, and all bytes of it so far."""

    def __init__(self, kind: str, data: bytes) -> None:
        super().__init__(kind)
        self.kind = kind
        self.data = data


class WavInput:
    """Take messages, and give samples; the samples of a message may be fewer than its bytes, never more than those that
    have come.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._undecided = b""
        self._is_decided = recording.format == PCM
        self._remaining: int | None = None
        """Bytes of samples that the WAV file still has; None: all that comes."""
        self._is_wav = False

    def take(self, message: bytes) -> bytes:
        """Return the samples that are complete with this message; raise FormatError, or Compressed."""
        if self._is_wav and message[:4] == b"RIFF" and message[8:12] == b"WAVE":
            self._is_decided = False  # another file begins: programs send each chunk as a file of its own
        if not self._is_decided:
            message = self._decide(self._undecided + message)
        if self._remaining is None:
            return message
        samples = message[:self._remaining]
        self._remaining -= len(samples)
        return samples

    def end(self) -> bytes:
        """Return what was too short to tell what it is: samples, unless it began as WAV does."""
        samples = b"" if self._undecided[:4] in (b"RIFF", b"RF64") else self._undecided
        self._undecided = b""
        return samples

    def _decide(self, data: bytes) -> bytes:
        self._undecided = b""
        if not _may_be_wav(data):
            kind = _compressed_kind(data, self._recording.format)
            if kind:
                raise Compressed(kind, data)
            self._is_decided, self._remaining = True, None
            return data
        try:
            header = read_header(data)
        except ValueError as error:
            raise FormatError(f"this WAV file cannot be read: {error}") from error
        if header is None:
            if len(data) > LONGEST_HEADER:
                raise FormatError(f"this WAV file has no samples within its first {LONGEST_HEADER} bytes")
            self._undecided, self._remaining = data, 0
            return b""
        if not self._fits(header):
            raise Compressed("wav", data)
        self._is_decided = self._is_wav = True
        self._remaining = header.data_bytes
        return data[header.offset:]

    def _fits(self, header: WavHeader) -> bool:
        wanted = (self._recording.rate, self._recording.channels, _BITS, True)
        return (header.rate, header.channels, header.bits, header.is_pcm) == wanted


def _may_be_wav(data: bytes) -> bool:
    return (b"RIFF".startswith(data[:4]) or b"RF64".startswith(data[:4])) and b"WAVE".startswith(data[8:12])


_MARKS = {b"fLaC": "flac", b"OggS": "ogg", b"ID3": "mp3", b"\x1aE\xdf\xa3": "webm"}


def _compressed_kind(data: bytes, named: str) -> str:
    """Return what the first bytes say, else what the client has named; "" for raw samples."""
    marked = next((kind for mark, kind in _MARKS.items() if data.startswith(mark)), "")
    return marked or ("" if named == "wav" else named)
