"""What the models of these tests say: noise that is different in each answer, so that it is known again."""

from __future__ import annotations

from typing import Callable

import numpy as np
import soxr

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.testing.openai_realtime import Failure, Reply, Turn
from tests.engine.harness import noise


def voice(seed: int, seconds: float) -> Samples:
    """Of 24,000 Hz, with nothing above 3 kHz."""
    narrow = soxr.resample(noise(int(6000 * seconds), seed, 8000).astype(np.float32), 6000, 24000, "VHQ")
    return np.clip(narrow, -32000, 32000).astype(np.int16)


def answers(seconds: Callable[[int], float] = lambda number: 1.0) -> Callable[[Turn], Reply | Failure]:
    """Each answer has so many seconds, by its number."""
    def reply(turn: Turn) -> Reply:
        words = " ".join(f"word{turn.number}x{word}" for word in range(20))
        return Reply(words, voice(1000 + turn.number, seconds(turn.number)))
    return reply
