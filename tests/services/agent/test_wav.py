from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.services.agent.wav import read_wav, write_wav


@given(arrays(np.int16, st.integers(0, 100)), st.integers(1, 192000))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, samples: Samples,
                                 rate: int) -> None:
    file = tmp_path_factory.mktemp("wav") / "file.wav"
    write_wav(file, samples, rate)
    again, rate_again = read_wav(file)
    assert rate_again == rate and np.array_equal(again, samples)


def test_a_file_of_the_test_data() -> None:
    samples, rate = read_wav(Path(__file__).parents[2] / "data" / "agent_16k.wav")
    assert rate == 16000 and 4 < len(samples) / rate < 5


def test_no_wav_file(tmp_path: Path) -> None:
    file = tmp_path / "file.wav"
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="not a WAV file"):
        read_wav(file)


def test_two_channels(tmp_path: Path) -> None:
    file = tmp_path / "file.wav"
    with wave.open(str(file), "wb") as writer:
        writer.setparams((2, 2, 8000, 0, "NONE", ""))
    with pytest.raises(ValueError, match="mono"):
        read_wav(file)
