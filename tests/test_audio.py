"""G.711 against the tables of the recommendation, built here the long way; byte order; vocabulary."""

from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream import audio
from freeswitch_audio_stream.audio import AudioFormat, Encoding, Track

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = np.arange(256).astype(np.uint8)


def _mulaw_decision_values() -> list[int]:
    """Table 2a of G.711: x1 to x128, in units of the 14-bit scale."""
    values, x, step = [0, 1], 1, 2
    for segment in range(8):
        for _ in range(15 if segment == 0 else 16):
            x += step
            values.append(x)
        step *= 2
    return values


def _alaw_decision_values() -> list[int]:
    """Table 1a of G.711: 0 to 4096, doubled to units of the 13-bit scale that begins at 0."""
    values, x, step = [0], 0, 1
    for segment in range(8):
        for _ in range(16):
            x += step
            values.append(x)
        step *= 2 if segment else 1
    return values


MULAW_X, ALAW_X = _mulaw_decision_values(), _alaw_decision_values()


def test_the_decision_values_end_where_the_recommendation_ends() -> None:
    assert len(MULAW_X) == 129 and MULAW_X[-1] == 8159
    assert len(ALAW_X) == 129 and ALAW_X[-1] == 2048


def _code(sample: int, decision_values: list[int], bits_cut: int) -> int:
    """The number of the interval, 0 to 127; each owns its bound on the side of minus infinity."""
    level = (~sample if sample < 0 else sample) >> bits_cut
    return min(bisect_right(decision_values, level) - 1, 127)


def test_mulaw_encodes_every_sample_by_the_decision_values() -> None:
    expected = [255 - _code(s, MULAW_X, 2) - (128 if s < 0 else 0) for s in EVERY_SAMPLE.tolist()]
    assert audio.samples_to_mulaw(EVERY_SAMPLE).tolist() == expected


def test_alaw_encodes_every_sample_by_the_decision_values() -> None:
    expected = [(_code(s, ALAW_X, 4) | (0 if s < 0 else 128)) ^ 0x55 for s in EVERY_SAMPLE.tolist()]
    assert audio.samples_to_alaw(EVERY_SAMPLE).tolist() == expected


def test_mulaw_decodes_every_code_to_the_middle_of_its_interval() -> None:
    for code, sample in zip(EVERY_CODE.tolist(), audio.mulaw_to_samples(EVERY_CODE).tolist()):
        interval = 127 - code % 128
        middle = 0 if interval == 0 else (MULAW_X[interval] + MULAW_X[interval + 1]) // 2
        assert sample == (4 * middle if code >= 128 else -4 * middle)


def test_alaw_decodes_every_code_to_the_middle_of_its_interval() -> None:
    for code, sample in zip(EVERY_CODE.tolist(), audio.alaw_to_samples(EVERY_CODE).tolist()):
        bits = code ^ 0x55
        middle = (ALAW_X[bits & 127] + ALAW_X[(bits & 127) + 1]) * 8
        assert sample == (middle if bits >= 128 else -middle)


@pytest.mark.parametrize("name, code, sample", [
    ("mulaw", 0xFF, 0), ("mulaw", 0x7F, 0), ("mulaw", 0x80, 32124), ("mulaw", 0x00, -32124),
    ("alaw", 0xD5, 8), ("alaw", 0x55, -8), ("alaw", 0xAA, 32256), ("alaw", 0x2A, -32256),
])
def test_well_known_codes(name: str, code: int, sample: int) -> None:
    table = {"mulaw": audio.MULAW_DECODE, "alaw": audio.ALAW_DECODE}[name]
    assert table[code] == sample


@pytest.mark.parametrize("encoding", [Encoding.MULAW, Encoding.ALAW])
def test_what_was_decoded_encodes_to_the_same_sound(encoding: Encoding) -> None:
    heard = audio.decode(EVERY_CODE.tobytes(), encoding)
    assert np.array_equal(audio.decode(audio.encode(heard, encoding), encoding), heard)


@pytest.mark.parametrize("encoding", [Encoding.MULAW, Encoding.ALAW])
def test_companding_is_monotonic(encoding: Encoding) -> None:
    heard = audio.decode(audio.encode(EVERY_SAMPLE, encoding), encoding).astype(int)
    assert (np.diff(heard) >= 0).all()


def test_tables_are_constants_of_the_documented_shape() -> None:
    for encode, decode in ((audio.MULAW_ENCODE, audio.MULAW_DECODE), (audio.ALAW_ENCODE, audio.ALAW_DECODE)):
        assert encode.shape == (65536,) and encode.dtype == np.uint8
        assert decode.shape == (256,) and decode.dtype == np.int16
    for table in (audio.MULAW_ENCODE, audio.MULAW_DECODE, audio.ALAW_ENCODE, audio.ALAW_DECODE):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 0


def test_l16_is_little_endian() -> None:
    assert audio.samples_to_l16(np.array([1, -2], np.int16)) == b"\x01\x00\xfe\xff"
    assert audio.l16_to_samples(b"\x01\x00\xfe\xff").tolist() == [1, -2]


@given(st.lists(st.integers(-32768, 32767)))
def test_l16_round_trip(values: list[int]) -> None:
    samples = np.array(values, np.int16)
    assert audio.decode(audio.encode(samples, Encoding.L16), Encoding.L16).tolist() == values


def test_every_second_sample_of_an_array_encodes_like_its_copy() -> None:
    strided = EVERY_SAMPLE[::2]
    for encoding in Encoding:
        assert audio.encode(strided, encoding) == audio.encode(strided.copy(), encoding)


def test_half_a_sample_is_an_error() -> None:
    with pytest.raises(ValueError):
        audio.l16_to_samples(b"\x01\x00\xfe")


@pytest.mark.parametrize("rate, ptime_ms, samples", [
    (8000, 10, 80), (8000, 20, 160), (8000, 30, 240), (16000, 60, 960), (44100, 20, 882), (48000, 40, 1920),
    (11025, 10, 110), (22050, 20, 441),
])
def test_samples_in_a_frame(rate: int, ptime_ms: int, samples: int) -> None:
    assert AudioFormat(rate, 2, ptime_ms).frame_samples == samples


def test_parts_of_a_track() -> None:
    assert Track.BOTH.parts == (Track.INBOUND, Track.OUTBOUND)
    for track in (Track.INBOUND, Track.OUTBOUND, Track.MIXED, Track.STEREO):
        assert track.parts == (track,)


def test_bytes_of_a_sample() -> None:
    assert [encoding.sample_bytes for encoding in (Encoding.L16, Encoding.MULAW, Encoding.ALAW)] == [2, 1, 1]


def test_streams_use_a_part_of_the_rates_there_are() -> None:
    assert set(audio.RATES) < set(audio.ALL_RATES)
