"""Digits that are heard in the audio, within the tolerances of ITU-T Q.24, and none where nobody dialled."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import pytest
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from freeswitch_audio_stream.audio import ALL_RATES, RATES, mulaw_to_samples, samples_to_mulaw
from freeswitch_audio_stream.realtime.core import Core
from freeswitch_audio_stream.realtime.media.dtmf import Digit, DigitQueue
from freeswitch_audio_stream.realtime.media.dtmf_inband import FREQUENCIES, KEYS
from freeswitch_audio_stream.realtime.records import DTMF, DTMF_WORK
from freeswitch_audio_stream.services.agent.wav import read_wav

from .. import natives
from ..open_stream import OpenStream
from ..sound import Samples, Signal

pytestmark = pytest.mark.slow

Opening = Callable[..., OpenStream]
DATA = Path(__file__).parents[2] / "data"
FULL_SCALE_DBM0 = 3.14  # of a sine that reaches int16's end (ITU-T G.711)
SESSION = 0x7F00_0000_1000
TEN_MINUTES = 600


class Detector:
    """A detector on a digit queue of its own."""

    def __init__(self, event_fd: int) -> None:
        self.queue = DigitQueue(event_fd)
        self._work = np.zeros(DTMF_WORK, np.float64)
        self._record = np.zeros(1, DTMF)
        self._record["work"] = self._work.ctypes.data

    def hear(self, audio: NDArray[Any], rate: int = 8000, frame: int | None = None) -> list[tuple[str, int]]:
        """The digits that ended within `audio`, which comes in frames of so many samples, and their ms."""
        data = np.clip(np.rint(audio), -32768, 32767).astype(np.int16)
        frame = frame or rate // 50
        heard: list[Digit] = []
        for start in range(0, len(data), frame):
            part = data[start:start + frame]
            natives.detect(int(self._record.ctypes.data), rate, part.ctypes.data, len(part),
                           self.queue.address, SESSION)
            heard += self.queue.take()
        assert {digit.session for digit in heard} <= {SESSION}
        assert {digit.source for digit in heard} <= {int(self._record.ctypes.data)}
        return [(digit.digit, digit.duration_ms) for digit in heard]

    def keys(self, audio: NDArray[Any], rate: int = 8000) -> str:
        """The digits alone."""
        return "".join(key for key, _ in self.hear(audio, rate))


@pytest.fixture
def detector() -> Iterator[Detector]:
    descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    yield Detector(descriptor)
    os.close(descriptor)


def amplitude(dbm0: float) -> float:
    """Of a sine of that level."""
    return float(32767 * 10 ** ((dbm0 - FULL_SCALE_DBM0) / 20))


def key(name: str, ms: float, rate: int = 8000, *, level: float = -10, twist: float = 0,
        off: tuple[float, float] = (0, 0), phase: float = 0) -> Signal:
    """The tones of a key: `level` (dBm0) is that of the low one, `twist` (dB) is how much louder the high one
    is, `off` how far the two are off, in percent."""
    time = np.arange(round(rate * ms / 1000)) / rate
    place = KEYS.index(name)
    low, high = FREQUENCIES[place // 4] * (1 + off[0] / 100), FREQUENCIES[4 + place % 4] * (1 + off[1] / 100)
    return (amplitude(level) * np.sin(2 * np.pi * low * time + phase)
            + amplitude(level + twist) * np.sin(2 * np.pi * high * time + 2 * phase))


def pause(ms: float, rate: int = 8000) -> Signal:
    return np.zeros(round(rate * ms / 1000))


def dialled(keys: Sequence[Signal], pause_ms: float, rate: int = 8000) -> Signal:
    """One key after the other, each beginning somewhere else between two windows."""
    parts = [part for number, tones in enumerate(keys)
             for part in (pause(pause_ms + number * 0.73 % 5, rate), tones)]
    return np.concatenate([*parts, pause(60, rate)])


# Every key.


@pytest.mark.parametrize("rate", ALL_RATES)
def test_every_key_at_every_rate_with_its_duration(detector: Detector, rate: int) -> None:
    for ms in (40, 60, 100, 500):
        heard = detector.hear(dialled([key(name, ms, rate) for name in KEYS], 45, rate), rate)
        assert "".join(name for name, _ in heard) == KEYS
        assert all(abs(duration - ms) <= 7 for _, duration in heard)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("twist", [-8, 0, 4])
def test_what_must_be_accepted(detector: Detector, rate: int, twist: float) -> None:
    """40 ms, 40 ms apart, both tones 1.5 % off, of any level: all at once."""
    for off, level in product(product((-1.5, 1.5), repeat=2), (-4 - max(0, twist), -25 + max(0, -twist))):
        keys = [key(name, 40, rate, level=level, twist=twist, off=off, phase=number)
                for number, name in enumerate(KEYS)]
        assert detector.keys(dialled(keys, 40, rate), rate) == KEYS, (off, level)


@pytest.mark.parametrize("twist", [-8, 0, 4])
@pytest.mark.parametrize("off", [(3.5, 0), (-3.5, 0), (0, 3.5), (0, -3.5), (3.5, 3.5), (-3.5, 1.5), (5, 0),
                                 (0, -5)])
@pytest.mark.parametrize("ms", [40, 300])
def test_what_is_too_far_off_is_no_key(detector: Detector, ms: float, off: tuple[float, float],
                                       twist: float) -> None:
    keys = [key(name, ms, twist=twist, off=off, phase=number) for number, name in enumerate(KEYS)]
    assert detector.keys(dialled(keys, 60)) == ""


@pytest.mark.parametrize("rate", RATES)
def test_what_is_too_short_is_no_key(detector: Detector, rate: int) -> None:
    for ms in (5, 10, 15, 20, 23):
        keys = [key(name, ms, rate, phase=number) for number, name in enumerate(KEYS * 4)]
        assert detector.keys(dialled(keys, 40, rate), rate) == ""


@pytest.mark.parametrize("level", [0, -3, -10, -25])
def test_levels(detector: Detector, level: float) -> None:
    """At 0 dBm0 each the two together are beyond what int16 holds, and clipped."""
    keys = [key(name, 50, level=level) for name in KEYS]
    assert detector.keys(dialled(keys, 50)) == KEYS


def test_what_is_too_faint_is_no_key(detector: Detector) -> None:
    for level in (-42, -55):
        assert detector.keys(dialled([key(name, 100, level=level) for name in KEYS], 50)) == ""


@pytest.mark.parametrize("twist", [-15, 10])
def test_tones_of_very_different_levels_are_no_key(detector: Detector, twist: float) -> None:
    assert detector.keys(dialled([key(name, 100, twist=twist) for name in KEYS], 50)) == ""


def test_through_mulaw(detector: Detector) -> None:
    audio = dialled([key(name, 50, twist=-8, level=-15) for name in KEYS], 50)
    coded = samples_to_mulaw(np.rint(audio).astype(np.int16))
    assert detector.keys(mulaw_to_samples(coded)) == KEYS


# Pauses.


@pytest.mark.parametrize("rate", RATES)
def test_the_same_key_again_after_a_pause(detector: Detector, rate: int) -> None:
    for name in KEYS:
        assert detector.keys(dialled([key(name, 40, rate)] * 7, 40, rate), rate) == name * 7


def test_an_interruption_is_no_pause(detector: Detector) -> None:
    for name, start in product(KEYS, (25, 40, 61)):
        tones = key(name, 100)
        tones[8 * start:8 * (start + 10)] = 0
        ((heard, duration),) = detector.hear(dialled([tones], 50))
        assert heard == name and abs(duration - 100) <= 7


def test_a_key_that_is_held(detector: Detector) -> None:
    ((heard, duration),) = detector.hear(dialled([key("5", 20_000)], 50))
    assert heard == "5" and abs(duration - 20_000) <= 7


# Voices.


def speech(rate: int, seconds: float, seed: int = 1) -> Signal:
    """The voices of the data, looped, each time at another speed and pitch and loudness."""
    voices = [read_wav(DATA / name) for name in ("caller_16k.wav", "agent_16k.wav")]
    random = np.random.default_rng(seed)
    parts: list[Signal] = []
    while sum(map(len, parts)) < seconds * rate:
        samples, own_rate = voices[len(parts) % 2]
        part = soxr.resample(samples.astype(np.float64), own_rate * random.uniform(0.6, 1.7), rate)
        parts.append(part * random.uniform(9000, 30000) / np.abs(part).max())
    return np.concatenate(parts)[:round(seconds * rate)]


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_ten_minutes_of_speech(detector: Detector, rate: int) -> None:
    assert detector.hear(speech(rate, TEN_MINUTES), rate) == []


@pytest.mark.parametrize("name", ["caller_8k.wav", "caller_16k.wav", "agent_16k.wav", "agent_24k.wav"])
def test_ten_minutes_of_the_same(detector: Detector, name: str) -> None:
    samples, rate = read_wav(DATA / name)
    for loudness in (0.3, 1.0, 3.0):
        assert detector.hear(np.resize(samples, 200 * rate) * loudness, rate) == []


@pytest.mark.parametrize("loudness", [300, 3000, 30000])
def test_ten_minutes_of_noise(detector: Detector, loudness: float) -> None:
    noise = np.random.default_rng(2).normal(0, loudness, TEN_MINUTES * 8000)
    assert detector.hear(noise) == []


def music(seconds: float, voices: int, seed: int) -> Signal:
    """Chords of random notes of the tempered scale, with overtones, that fade."""
    random = np.random.default_rng(seed)
    parts: list[Signal] = []
    while sum(map(len, parts)) < seconds * 8000:
        time = np.arange(int(random.uniform(800, 4800))) / 8000
        chord = np.zeros(len(time))
        for pitch in 440 * 2 ** (random.integers(-24, 20, voices) / 12):
            for number, strength in enumerate((1, 0.6, 0.4, 0.3, 0.2, 0.1), 1):
                if number * pitch < 4000:
                    chord += strength * np.sin(2 * np.pi * number * pitch * time + random.uniform(0, 6))
        parts.append(chord * np.minimum(1, time / 0.01) * np.exp(-time * random.uniform(0, 4)))
    return 8000 * np.concatenate(parts)


@pytest.mark.parametrize("voices", [1, 2, 3, 4])
def test_ten_minutes_of_music(detector: Detector, voices: int) -> None:
    assert detector.hear(music(TEN_MINUTES, voices, voices)) == []


@pytest.mark.parametrize("tones", [(350, 440), (440, 480), (480, 620), (425,), (1100,), (2100,), (697,),
                                   (1336,), (697, 770), (1209, 1633)], ids=str)
def test_the_networks_own_tones(detector: Detector, tones: Sequence[float]) -> None:
    time = np.arange(8000) / 8000
    audio = 5000 * np.sum([np.sin(2 * np.pi * tone * time) for tone in tones], axis=0)
    assert detector.hear(np.concatenate([audio, pause(100), audio, pause(100)])) == []


@pytest.mark.parametrize("twist", [-8, 0, 4])
@pytest.mark.parametrize("level", [-5, -20])
def test_noise_meanwhile(detector: Detector, level: float, twist: float) -> None:
    """White noise 15 dB below the fainter tone; 1000 keys of 50 ms."""
    names = (KEYS * 63)[:1000]
    audio = dialled([key(name, 50, level=level, twist=twist, phase=number) for number, name in enumerate(names)], 50)
    fainter = amplitude(level + min(0, twist)) / np.sqrt(2)
    noise = np.random.default_rng(3).normal(0, fainter * 10 ** (-15 / 20), len(audio))
    assert detector.keys(audio + noise) == names


def test_ten_minutes_of_speech_through_mulaw(detector: Detector) -> None:
    samples = np.clip(np.rint(speech(8000, TEN_MINUTES, seed=2)), -32768, 32767).astype(np.int16)
    assert detector.hear(mulaw_to_samples(samples_to_mulaw(samples))) == []


@pytest.mark.parametrize("twist", [-8, 0, 4])
def test_somebody_speaks_meanwhile(detector: Detector, twist: float) -> None:
    """The speaker is 12 dB below the tones, measured where there is speech."""
    names = KEYS * 10
    audio = dialled([key(name, 50, level=-8, twist=twist, off=(1, -1), phase=number)
                     for number, name in enumerate(names)], 50)
    voice = speech(8000, len(audio) / 8000)
    level = np.sqrt(np.mean(voice[np.abs(voice) > 300] ** 2))
    tones = np.sqrt((amplitude(-8) ** 2 + amplitude(-8 + twist) ** 2) / 2)
    assert detector.keys(audio + voice * tones / level * 10 ** (-12 / 20)) == names


# Frames, rates, streams.


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(frame=st.integers(1, 3000), rate=st.sampled_from(RATES))
def test_how_the_audio_is_cut_does_not_matter(detector: Detector, frame: int, rate: int) -> None:
    audio = dialled([key(name, 50, rate) for name in "19#"], 50, rate)
    assert "".join(name for name, _ in detector.hear(audio, rate, frame)) == "19#"


def test_a_codec_that_changes(detector: Detector) -> None:
    for rate in (8000, 48000, 16000, 8000):
        assert detector.keys(dialled([key(name, 50, rate) for name in "42"], 50, rate), rate) == "42"
        detector.hear(key("7", 30, rate), rate)  # cut off by the change


def say(stream: OpenStream, audio: NDArray[Any], rate: int, channels: int = 1) -> None:
    samples: Samples = np.repeat(np.clip(np.rint(audio), -32768, 32767).astype(np.int16), channels)
    size = rate // 50 * channels
    for start in range(0, len(samples), size):
        stream.leg.read(samples[start:start + size], rate, channels)


@pytest.mark.parametrize("tracks", ["inbound", "outbound", "both", "mixed"])
@pytest.mark.parametrize("rate, channels", [(8000, 1), (16000, 1), (48000, 2)])
def test_a_stream_that_listens(open_stream: Opening, core: Core, rate: int, channels: int,
                               tracks: str) -> None:
    stream = open_stream(inband_dtmf=True, tracks=tracks)
    audio = dialled([key(name, 100, rate) for name in "0*D"], 60, rate)
    say(stream, audio, rate, channels)
    digits = list(core.digits.take())
    assert "".join(digit.digit for digit in digits) == "0*D"
    assert {digit.session for digit in digits} == {stream.leg.session}
    assert all(abs(digit.duration_ms - 100) <= 7 for digit in digits)
    assert len(stream.captured()) == pytest.approx(len(audio) * 8000 / rate, abs=160)


def test_a_stream_that_does_not(open_stream: Opening, core: Core) -> None:
    say(open_stream(), dialled([key("1", 100)], 60), 8000)
    assert list(core.digits.take()) == []
