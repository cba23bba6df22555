"""Offsets against the structures of `switch`, and the small operations on samples."""

from __future__ import annotations

import ctypes

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.realtime.media import frames
from freeswitch_audio_stream.switch.layouts import Codec, CodecImplementation, Frame

from .. import natives

samples = st.lists(st.integers(-32768, 32767), max_size=64)


def test_frame_offsets() -> None:
    assert ctypes.sizeof(Frame) == frames.FRAME_BYTES
    assert {name: getattr(Frame, name).offset for name in
            ("codec", "data", "datalen", "buflen", "samples", "rate", "channels")} == {
        "codec": frames.FRAME_CODEC, "data": frames.FRAME_DATA, "datalen": frames.FRAME_DATALEN,
        "buflen": frames.FRAME_BUFLEN, "samples": frames.FRAME_SAMPLES, "rate": frames.FRAME_RATE,
        "channels": frames.FRAME_CHANNELS}


def test_implementation_offsets() -> None:
    assert ctypes.sizeof(CodecImplementation) == frames.IMPLEMENTATION_BYTES
    form = CodecImplementation
    assert form.actual_samples_per_second.offset == frames.IMPLEMENTATION_RATE
    assert form.microseconds_per_packet.offset == frames.IMPLEMENTATION_MICROSECONDS
    assert form.decoded_bytes_per_packet.offset == frames.IMPLEMENTATION_DECODED_BYTES
    assert form.number_of_channels.offset == frames.IMPLEMENTATION_CHANNELS
    assert form.impl_id.offset == frames.IMPLEMENTATION_ID


def test_codec_mutex_offset() -> None:
    assert Codec.mutex.offset == frames.CODEC_MUTEX


@given(st.integers(0, 2 ** 32 - 1))
def test_words_are_unsigned(value: int) -> None:
    place = np.full(3, -1, np.int32)
    assert natives.word_after_setting(place[1:].ctypes.data, value) == value
    assert place[0] == place[2] == -1


@given(st.integers(1, 6), st.data())
def test_to_mono_averages(channels: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 20))
    interleaved = np.array(data.draw(st.lists(st.integers(-32768, 32767), min_size=count * channels,
                                              max_size=count * channels)), np.int16)
    expected = interleaved.reshape(count, channels).astype(int).sum(axis=1) // channels
    natives.to_mono(interleaved.ctypes.data, count, channels)
    assert np.array_equal(interleaved[:count], expected)


@given(samples)
def test_hush_changes_only_the_stand_in(values: list[int]) -> None:
    data = np.array(values, np.int16)
    natives.silence_missing(data.ctypes.data, len(data))
    assert data.tolist() == ([0] * len(values) if set(values) == {-1} else values)


@given(samples, st.integers(-32768, 32767))
def test_mix_clips(values: list[int], added: int) -> None:
    target, source = np.array(values, np.int16), np.full(len(values), added, np.int16)
    natives.add_saturated(target.ctypes.data, source.ctypes.data, len(values))
    assert target.tolist() == [min(32767, max(-32768, value + added)) for value in values]
