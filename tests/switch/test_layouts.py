"""Structures against the figures of a C compiler (x86-64, every release from 1.10.7 on)."""

from __future__ import annotations

import ctypes

import pytest

from freeswitch_audio_stream.switch import layouts

SIZES = {layouts.Frame: 152, layouts.CodecImplementation: 144, layouts.Codec: 96, layouts.Dtmf: 16,
         layouts.StreamHandle: 80, layouts.ApiInterface: 72, layouts.ApplicationInterface: 88,
         layouts.ModuleInterface: 168}

OFFSETS = {
    layouts.Frame: dict(codec=0, data=40, datalen=48, buflen=52, samples=56, rate=60, channels=64, payload=68,
                        timestamp=72, seq=76, ssrc=80, m=84, flags=88, user_data=96, pmap=104,
                        img=112, geometry=120),
    layouts.CodecImplementation: dict(
        codec_type=0, ianacode=4, iananame=8, samples_per_second=24, actual_samples_per_second=28,
        microseconds_per_packet=36, samples_per_packet=40, decoded_bytes_per_packet=44,
        encoded_bytes_per_packet=48, number_of_channels=52, codec_frames_per_packet=56, impl_id=124,
        modname=128, next=136),
    layouts.Codec: dict(codec_interface=0, implementation=8, flags=32, mutex=64),
    layouts.Dtmf: dict(digit=0, duration=4, flags=8, source=12),
    layouts.StreamHandle: dict(read_function=0, write_function=8, raw_write_function=16, data=24, end=32,
                               data_size=40, data_len=48, alloc_len=56, alloc_chunk=64, param_event=72),
    layouts.ApiInterface: dict(interface_name=0, desc=8, function=16, syntax=24, rwlock=32, refs=40,
                               reflock=48, parent=56, next=64),
    layouts.ApplicationInterface: dict(interface_name=0, function=8, long_desc=16, short_desc=24,
                                       syntax=32, flags=40, rwlock=48, refs=56, reflock=64, parent=72,
                                       next=80),
    layouts.ModuleInterface: dict(module_name=0, application_interface=40, api_interface=56, rwlock=144,
                                  refs=152, pool=160),
}


@pytest.mark.parametrize("structure", SIZES, ids=lambda structure: structure.__name__)
def test_layout(structure: type[ctypes.Structure]) -> None:
    assert ctypes.sizeof(structure) == SIZES[structure]
    assert {name: getattr(structure, name).offset for name in OFFSETS[structure]} == OFFSETS[structure]
