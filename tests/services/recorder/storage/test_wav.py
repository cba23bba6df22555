"""WAV headers: what we write is read by others, what others write is read by us, and nothing is believed blindly."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.services.recorder.storage.wav import HEADER_BYTES, WavHeader, read_header, write_header


def test_others_read_it() -> None:
    data = bytes(range(200)) * 2
    with wave.open(io.BytesIO(write_header(8000, 2, len(data)) + data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
        assert file.readframes(1000) == data


@pytest.mark.parametrize("size", [(1 << 32) - HEADER_BYTES - 2, (1 << 32) - HEADER_BYTES + 6, 5 << 30, 1 << 40])
def test_four_gigabytes_and_more(size: int, tmp_path: Path) -> None:
    header = write_header(48000, 2, size - size % 4)
    assert len(header) == HEADER_BYTES and header[:4] == (b"RF64" if size + 72 >= 0xFFFFFFFF else b"RIFF")
    read = read_header(header)
    assert read and read.data_bytes == size - size % 4
    path = tmp_path / "long.wav"
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(HEADER_BYTES + size - size % 4)  # sparse
    if size < 1 << 36:
        assert soundfile.info(path).frames == size // 4


def test_chunks_before_the_samples_and_bytes_that_are_still_missing() -> None:
    ours = write_header(16000, 1, 8)
    whole = ours[:12] + b"LIST\x03\0\0\0abc\0" + ours[12:] + bytes(8)
    for end in range(len(whole) - 8):
        assert read_header(whole[:end]) is None
    assert read_header(whole) == WavHeader(16000, 1, 16, True, HEADER_BYTES + 12, 8)
    assert read_header(write_header(16000, 1, None)) == WavHeader(16000, 1, 16, True, HEADER_BYTES, None)


@pytest.mark.parametrize("data, what", [
    (b"RIFX", "RIFF"), (b"RIFF\0\0\0\0AVI ", "not WAVE"), (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "before their format"),
    (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0ab", "too short"),
    (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\0\0\0\0", "no channels")])
def test_what_is_none(data: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        read_header(data)


@given(st.binary(max_size=200), st.integers(0, HEADER_BYTES))
def test_anything_may_come(junk: bytes, kept: int) -> None:
    try:
        header = read_header(write_header(8000, 1, 100)[:kept] + junk)
    except ValueError:
        return
    assert header is None or header.offset <= kept + len(junk)
