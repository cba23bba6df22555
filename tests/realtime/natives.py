"""Helpers of the core that only compiled code may call, made callable from Python for the tests.

Compiled with the core's own decorators into the core's own cache: the first run pays, the others do not.
All addresses are int64; what is behind them is said by the function that is wrapped.
"""

from __future__ import annotations

from freeswitch_audio_stream.native import libc
from freeswitch_audio_stream.native.compiler import native
from freeswitch_audio_stream.realtime import wakeup
from freeswitch_audio_stream.realtime.media import dtmf_inband, frames, resampler, write_clock
from freeswitch_audio_stream.realtime.records import stream_at
from freeswitch_audio_stream.realtime.wire import encoding, incoming, io_loop


@native("int64(int64)")
def base64_length(count: int) -> int:
    return encoding.base64_length(count)


@native("void(int64, int64, int64, int64)")
def base64(target: int, source: int, count: int, table: int) -> None:
    encoding.base64(target, source, count, table)


@native("int64(int64, int64, int64, int64, int64)")
def encode(target: int, source: int, samples: int, kind: int, table: int) -> int:
    return encoding.encode(target, source, samples, kind, table)


@native("int64(int64, int64)")
def decimal(target: int, number: int) -> int:
    return encoding.decimal(target, number)


@native("void(int64, int64, int64)")
def xor_mask(target: int, count: int, key: int) -> None:
    encoding.xor_mask(target, count, key)


@native("int64(int64, int64)")
def outputs_for(record: int, inputs: int) -> int:
    return resampler.outputs_for(record, inputs)


@native("int64(int64, int64)")
def inputs_for(record: int, outputs: int) -> int:
    return resampler.inputs_for(record, outputs)


@native("void(int64, int64, int64, int64, int64)")
def convert_exact(record: int, source: int, inputs: int, target: int, outputs: int) -> None:
    resampler.convert_exact(record, source, inputs, target, outputs)


@native("void(int64, int64, int64)")
def push_many(queue: int, index: int, count: int) -> None:
    """Push `index` to a queue `count` times, without the GIL."""
    for _ in range(count):
        wakeup.push(queue, index)


@native("void(int64, int64, int64)")
def attend_many(stream: int, bits: int, count: int) -> None:
    """Ask for attention `count` times, without the GIL."""
    for _ in range(count):
        wakeup.attend(stream, bits)


@native("void(int64, int64, int64)")
def parse(stream: int, data: int, count: int) -> None:
    """Take received bytes, as the I/O loop does."""
    incoming.parse(stream_at(stream), data, count)


@native("void(int64, int64)")
def on_queued(loop: int, stream: int) -> None:
    """One step of an I/O loop: a stream was pushed."""
    io_loop._on_queued(loop, stream)


@native("void(int64, int64, int64)")
def on_event(loop: int, stream: int, events: int) -> None:
    """One step of an I/O loop: epoll reported `events` for a stream."""
    io_loop._on_event(loop, stream, events)


@native("int64(int64, int64)")
def tick(stream: int, now_us: int) -> int:
    """One step of the write clock at a time of the caller's choice; when the next is due, or -1."""
    return write_clock._tick(stream, now_us)


@native("int64()")
def monotonic_us() -> int:
    return libc.monotonic_us()


@native("int64()")
def pthread_self() -> int:
    return libc.pthread_self()  # type: ignore[no-any-return]


@native("int64(int64, int64)")
def word_after_setting(address: int, value: int) -> int:
    """Store a uint32 and read it back."""
    frames.set_word(address, value)
    return frames.word(address)


@native("void(int64, int64, int64)")
def to_mono(samples: int, count: int, channels: int) -> None:
    frames.to_mono(samples, count, channels)


@native("void(int64, int64)")
def silence_missing(samples: int, count: int) -> None:
    frames.silence_missing(samples, count)


@native("void(int64, int64, int64)")
def add_saturated(target: int, source: int, count: int) -> None:
    frames.add_saturated(target, source, count)


@native("void(int64, int64, int64, int64, int64, int64)")
def detect(state: int, rate: int, samples: int, count: int, queue: int, session: int) -> None:
    dtmf_inband.detect(state, rate, samples, count, queue, session)
