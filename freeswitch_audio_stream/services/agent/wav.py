"""16-bit mono WAV files."""

from __future__ import annotations

import wave
from pathlib import Path

from ...audio import Samples, l16_to_samples, samples_to_l16


def read_wav(file: Path) -> tuple[Samples, int]:
    """The samples, int16[n], and their rate in Hz.

    Raise OSError, and ValueError when it is not a 16-bit mono WAV file.
    """
    try:
        with wave.open(str(file)) as reader:
            shape = reader.getnchannels(), 8 * reader.getsampwidth()
            rate, data = reader.getframerate(), reader.readframes(reader.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{file} is not a WAV file: {error}") from error
    if shape != (1, 16):
        raise ValueError(f"{file} has {shape[0]} channels of {shape[1]} bits: make it mono, 16 bits")
    return l16_to_samples(data), rate


def write_wav(file: Path, samples: Samples, rate: int) -> None:
    """Write int16[n] at `rate` Hz. Raise OSError."""
    with wave.open(str(file), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples_to_l16(samples))
