"""What the servers of a soak read, and what they say."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import orjson
import pytest

from freeswitch_audio_stream.audio import Samples, samples_to_mulaw
from freeswitch_audio_stream.soak.kinds import KINDS
from freeswitch_audio_stream.soak.numbered_noise import Noise
from freeswitch_audio_stream.soak.wires import AudioSocketWire, JsonWire, PlatformWire, RtpWire, Wire

HOWTO = Path(__file__).parents[2] / "docs/howto/soak.md"
AUDIO = Noise(1).samples(0, 800)
L16 = AUDIO.astype("<i2").tobytes()


def same(read: Samples | None, said: Samples = AUDIO) -> bool:
    return read is not None and np.array_equal(read, said)


def test_bare_samples() -> None:
    assert Wire().write(AUDIO) == [L16]
    assert same(Wire().read(L16))
    assert Wire().read("a text") is None


def test_json() -> None:
    text = base64.b64encode(L16).decode()
    assert same(JsonWire().read('{"event":"media","audio":"%s"}' % text))
    assert JsonWire().read('{"event":"start"}') is None
    (said,) = JsonWire().write(AUDIO)
    assert orjson.loads(said) == {"event": "media.play", "payload": {"audioData": text, "sampleRate": 8000}}


def test_a_platform() -> None:
    (said,) = PlatformWire().write(AUDIO)
    assert same(PlatformWire().read(said))
    assert PlatformWire().read('{"event":"start"}') is None


def test_rtp_is_numbered_on_past_the_end_of_the_numbers() -> None:
    wire = RtpWire()
    packets = [packet for _ in range(60) for packet in wire.write(AUDIO) if isinstance(packet, bytes)]
    assert len(packets) == 300 and all(packet[:2] == b"\x80\x00" and len(packet) == 172 for packet in packets)
    heads = np.frombuffer(b"".join(packet[:12] for packet in packets), np.dtype([
        ("kind", ">u2"), ("number", ">u2"), ("time", ">u4"), ("source", ">u4")]))
    assert set(np.diff(heads["number"].astype(np.int64)) % 2**16) == {1}
    assert set(np.diff(heads["time"].astype(np.int64)) % 2**32) == {160}
    assert heads["number"].min() == 0 and heads["time"].min() < 160
    assert packets[0][12:] == samples_to_mulaw(AUDIO[:160]).tobytes()
    assert same(wire.read(packets[0]), AUDIO[:160])
    with pytest.raises(AssertionError):
        wire.read(b"\x80\x08" + bytes(170))


def test_audiosocket() -> None:
    assert AudioSocketWire().write(AUDIO) == [b"\x10\x06\x40" + L16]
    assert same(AudioSocketWire().read(b"\x10" + L16))
    assert AudioSocketWire().read(b"\x03" + b"5") is None


def test_the_documentation_has_all_kinds() -> None:
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \| [^|]+ \| (\d+) \|$", HOWTO.read_text(), re.MULTILINE)
    told = {name: int(rate) for names, rate in rows for name in re.findall(r"`([^`]+)`", names)}
    assert told == {name: kind.rate for name, kind in KINDS.items()}
