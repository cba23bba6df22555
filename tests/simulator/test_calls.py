"""Audio through the embedded switch: what is spoken arrives, what is written is heard, and nothing else."""

from __future__ import annotations

import ctypes
import time
from typing import Any, Callable, Iterator

import numpy as np
import pytest

from freeswitch_audio_stream import audio
from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedCall, EmbeddedSwitch

PATIENCE = 30.0
L16_16K = CodecSpec("L16", 16000)
CODECS = [CodecSpec("PCMU"), CodecSpec("PCMA", ptime_ms=30), L16_16K, CodecSpec("L16", 48000, 10),
          CodecSpec("L16", 44100, 20), CodecSpec("L16", 48000, 20, 2), CodecSpec("G722", 16000, 60)]


@pytest.fixture
def switch() -> Iterator[EmbeddedSwitch]:
    switch = EmbeddedSwitch()
    yield switch
    switch.shutdown()
    assert switch.misuses == 0


def speech(samples: int, seed: int = 1) -> Samples:
    """Noise, so that any shift or loss shows."""
    return np.random.default_rng(seed).integers(-8000, 8000, samples).astype(np.int16)


def wait(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def end(call: EmbeddedCall) -> None:
    call.hangup()
    assert call.destroyed.wait(PATIENCE)


@pytest.mark.parametrize("codec", CODECS, ids=str)
def test_an_echo_is_what_was_spoken(switch: EmbeddedSwitch, codec: CodecSpec) -> None:
    said = speech(codec.packet_samples * 25 + 7).reshape(-1, 1).repeat(codec.channels, 1)
    call = switch.call(speech=said, codec=codec, app="echo", speed=10)
    wait(lambda: len(call.heard()) >= len(said))
    end(call)
    heard, spoken = call.heard(), call.spoken()
    assert np.array_equal(heard, spoken[:len(heard)])
    if codec.name in ("L16", "G722"):
        assert np.array_equal(spoken[:len(said)].reshape(said.shape), said)
    if codec.name == "PCMU":
        assert np.array_equal(spoken[:len(said)], audio.mulaw_to_samples(audio.samples_to_mulaw(said[:, 0])))
    assert not spoken[len(said):].any() or codec.name == "PCMA"  # A-law has no zero
    sizes = call.heard_frames()[:, 2]
    assert set(sizes) == {codec.packet_samples * codec.channels} and sizes.sum() == heard.size


def test_a_parked_leg_writes_nothing(switch: EmbeddedSwitch) -> None:
    call = switch.call(speech=speech(1600), speed=10)
    wait(call.has_spoken)
    end(call)
    assert len(call.heard()) == 0 and len(call.spoken()) >= 1600


def test_a_parked_leg_may_be_told_to_write_silence(switch: EmbeddedSwitch) -> None:
    call = switch.call(variables={"send_silence_when_idle": "-1"}, codec=L16_16K, speed=10)
    late = switch.call(codec=L16_16K, speed=10)
    late.variables["send_silence_when_idle"] = "-1"  # too late: park has looked already
    wait(lambda: len(call.heard()) >= 3200 and len(late.spoken()) >= 3200)
    end(call)
    end(late)
    assert not call.heard().any() and len(late.heard()) == 0


def test_what_the_switch_plays_is_heard_whole(switch: EmbeddedSwitch) -> None:
    one, two = speech(1000, 2), speech(1500, 3)
    call = switch.call(codec=L16_16K, speed=10)
    call.play(one)
    call.play(two)
    wait(lambda: len(call.heard()) >= 2500)
    end(call)
    heard = call.heard()
    assert np.array_equal(heard[:2500], np.concatenate([one, two]))
    assert len(heard) == 2560 and not heard[2500:].any(), "whole packets, then the leg is idle again"


def test_playback_goes_on_with_silence(switch: EmbeddedSwitch) -> None:
    call = switch.call(codec=L16_16K, app="playback", speed=10)
    wait(lambda: len(call.heard()) >= 640)
    call.play(speech(640))
    wait(lambda: np.count_nonzero(call.heard()) >= np.count_nonzero(speech(640)))
    end(call)
    heard = call.heard()
    start = int(np.flatnonzero(heard)[0]) // 320 * 320
    assert np.array_equal(heard[start:start + 640], speech(640))


def test_a_bridge_carries_both_ways_and_ends_together(switch: EmbeddedSwitch) -> None:
    a = switch.call(speech=speech(16000, 4), codec=L16_16K, app="bridge", speed=4)
    b = switch.call(speech=speech(16000, 5), codec=L16_16K, app="bridge", speed=4)
    switch.bridge(a, b)
    wait(lambda: len(a.heard()) >= 3200 and len(b.heard()) >= 3200)
    end(a)
    assert b.destroyed.wait(PATIENCE)
    for sender, listener in ((a, b), (b, a)):
        heard, spoken = listener.heard(), sender.spoken()
        starts = [at for at in range(0, len(spoken), 320) if np.array_equal(spoken[at:at + 320], heard[:320])]
        assert starts and np.array_equal(heard, spoken[starts[0]:starts[0] + len(heard)])


def test_a_bridge_converts_rate_and_packets(switch: EmbeddedSwitch) -> None:
    tone = (9000 * np.sin(2 * np.pi * 400 * np.arange(16000) / 8000)).astype(np.int16)
    a = switch.call(speech=tone, codec=CodecSpec("PCMU", 8000, 30), app="bridge", speed=4)
    b = switch.call(codec=CodecSpec("L16", 48000, 20), app="bridge", speed=4)
    switch.bridge(a, b)
    wait(lambda: len(b.heard()) >= 48000)
    end(a)
    heard = b.heard()[4800:4800 + 38400].astype(float)
    assert set(b.heard_frames()[:, 2]) == {960}
    peak = np.argmax(np.abs(np.fft.rfft(heard * np.hanning(len(heard)))))
    assert abs(peak * 48000 / len(heard) - 400) < 3


def test_comfort_noise_is_no_audio(switch: EmbeddedSwitch) -> None:
    call = switch.call(speech=speech(320), codec=L16_16K, app="echo", cng=True, speed=10)
    wait(lambda: call.session.cng_frames >= 5)
    end(call)
    assert len(call.heard()) == len(call.spoken()) == 320


def test_hold_stops_both_directions(switch: EmbeddedSwitch) -> None:
    call = switch.call(speech=speech(160000), codec=L16_16K, app="echo", speed=4)
    wait(lambda: len(call.heard()))
    call.hold()
    call.on_thread(lambda: None)
    before = len(call.spoken())
    call.on_thread(lambda: None)
    assert len(call.spoken()) == before
    call.hold(False)
    wait(lambda: len(call.spoken()) > before)
    end(call)
    assert np.array_equal(call.heard(), call.spoken()[:len(call.heard())])


def test_a_change_of_codec_keeps_pitch_and_place(switch: EmbeddedSwitch) -> None:
    tone = (9000 * np.sin(2 * np.pi * 400 * np.arange(4 * 8000) / 8000)).astype(np.int16)
    call = switch.call(speech=tone, codec=CodecSpec("L16", 8000), app="echo", speed=8)
    wait(lambda: len(call.spoken()) >= 8000)
    call.change_codec(CodecSpec("L16", 16000, 30))
    wait(call.has_spoken)
    end(call)
    sizes = call.spoken_frames()[:, 2]
    changed = int(np.flatnonzero(sizes == 480)[0])
    seconds = sizes[:changed].sum() / 8000 + (sizes == 480).sum() * 480 / 16000
    assert seconds >= 4.0
    second = call.spoken()[sizes[:changed].sum():][:16000].astype(float)
    peak = np.argmax(np.abs(np.fft.rfft(second * np.hanning(len(second)))))
    assert abs(peak * 16000 / len(second) - 400) < 3


def test_more_can_be_said(switch: EmbeddedSwitch) -> None:
    call = switch.call(speech=speech(1600, 6), codec=L16_16K, speed=10)
    call.say(speech(1600, 7))
    wait(call.has_spoken)
    end(call)
    assert set(speech(1600, 7)) <= set(call.spoken())


def test_an_unanswered_call_has_no_media(switch: EmbeddedSwitch) -> None:
    call = switch.call(speech=speech(16000), answered=False, speed=10)
    call.on_thread(lambda: None)
    assert len(call.spoken()) == 0 and call.headers()["Answer-State"] == "ringing"
    call.answer()
    wait(lambda: len(call.spoken()))


def test_media_does_not_wait_for_python(switch: EmbeddedSwitch) -> None:
    """A thread that keeps the GIL for the whole of an interval does not keep packets from flowing in it."""
    call = switch.call(app="playback", speed=10)
    wait(lambda: len(call.heard()))
    holding_the_gil = ctypes.PyDLL(None)
    start = time.monotonic_ns()
    holding_the_gil.usleep(400_000)
    stop = time.monotonic_ns()
    times = call.heard_frames()[:, 0]
    assert ((times > start) & (times < stop)).sum() >= 10


def test_packets_too_large_for_a_switch() -> None:
    with pytest.raises(ValueError, match="8192"):
        CodecSpec("L16", 48000, 60, 2)
    with pytest.raises(ValueError, match="whole samples"):
        CodecSpec("L16", 11025, 15)


def test_one_uuid_one_call(switch: EmbeddedSwitch) -> None:
    switch.call("abc")
    with pytest.raises(ValueError, match="abc"):
        switch.call("abc")


def test_work_on_a_call_that_ends(switch: EmbeddedSwitch) -> None:
    call = switch.call()
    end(call)
    assert not call.on_thread(lambda: None)
    assert not call.application("anything")
    assert not call.dtmf("1")
    with pytest.raises(ZeroDivisionError):
        switch.call().on_thread(lambda: 1 // 0)  # type: ignore[arg-type]
