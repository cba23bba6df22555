"""Audio in a container or encoding to samples that can be queued."""

from __future__ import annotations

import io

import numpy as np
import soundfile
import soxr

from ....audio import ALL_RATES, Encoding, Samples, decode
from ....errors import MessageError
from ....protocols.messages import StreamAudio

_RATE_FOR_OTHERS = 48000
_ENCODINGS = {"raw": Encoding.L16, "pcmu": Encoding.MULAW, "pcma": Encoding.ALAW}


def samples_of(message: StreamAudio, max_seconds: int) -> tuple[Samples, int]:
    """Return int16[n] (channels averaged) and their rate in Hz, one of audio.ALL_RATES; at most `max_seconds` of it.

    Raise MessageError if it cannot be decoded.
    """
    if message.kind in _ENCODINGS:
        return decode(message.audio, _ENCODINGS[message.kind]), message.rate or 8000
    try:
        with soundfile.SoundFile(io.BytesIO(message.audio)) as file:
            rate = int(file.samplerate)
            data = file.read(rate * max_seconds, dtype="int16", always_2d=True)
    except (RuntimeError, TypeError, ValueError) as error:  # soundfile's own errors are RuntimeErrors
        raise MessageError("streamAudio", f"streamAudio's audio is no {message.kind}: {error}") from error
    mono = data[:, 0] if data.shape[1] == 1 else data.mean(axis=1).astype(np.int16)
    if rate not in ALL_RATES:
        mono, rate = soxr.resample(mono, rate, _RATE_FOR_OTHERS, quality="VHQ"), _RATE_FOR_OTHERS
    return np.ascontiguousarray(mono), rate
