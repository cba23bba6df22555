"""When the caller speaks: by loudness, counted in the audio that has come and not in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Literal

import numpy as np

from ...audio import ALAW_DECODE, MULAW_DECODE, Samples

FRAME_MS = 20
LOUD = 500.0
"""Root mean square of a frame that counts as speech."""


@dataclass(frozen=True)
class Change:
    """The caller has begun or stopped to speak."""

    kind: Literal["started", "stopped"]
    milliseconds: int
    """From the beginning of all audio; the padding before the beginning and the silence behind the end included."""


def decoded(form: str, audio: bytes) -> tuple[Samples, int]:
    """Return samples and their Hz."""
    if form == "audio/pcm":
        return np.frombuffer(audio, "<i2").astype(np.int16), 24000
    table = MULAW_DECODE if form == "audio/pcmu" else ALAW_DECODE
    return table[np.frombuffer(audio, np.uint8)], 8000


class SpeechDetector:
    """Of one session."""

    def __init__(self, padding_ms: int, silence_ms: int) -> None:
        self._padding_ms, self._silence_ms = padding_ms, silence_ms
        self._rest: Samples = np.zeros(0, np.int16)
        self._now_ms = 0
        self._quiet_ms = 0
        self.is_speaking = False

    def feed(self, samples: Samples, rate: int) -> Iterator[Change]:
        """Take audio; yield what has changed in it."""
        samples = np.concatenate([self._rest, samples])
        size = rate * FRAME_MS // 1000
        whole = len(samples) // size * size
        self._rest = samples[whole:]
        for frame in samples[:whole].reshape(-1, size):
            self._now_ms += FRAME_MS
            is_loud = bool(np.sqrt(np.mean(frame.astype(np.float64) ** 2)) >= LOUD)
            self._quiet_ms = 0 if is_loud else self._quiet_ms + FRAME_MS
            if is_loud and not self.is_speaking:
                self.is_speaking = True
                yield Change("started", max(0, self._now_ms - FRAME_MS - self._padding_ms))
            elif self.is_speaking and self._quiet_ms >= self._silence_ms:
                self.is_speaking = False
                yield Change("stopped", self._now_ms)
