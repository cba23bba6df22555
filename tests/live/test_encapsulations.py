"""rtp, sln and audiosocket on a parked SIP call of a real FreeSWITCH: 10 s each way, both legs, and no drift.

LIVE_SECONDS=300 makes it five minutes.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import time
import uuid
import wave
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from freeswitch_audio_stream.audio import mulaw_to_samples, samples_to_mulaw
from freeswitch_audio_stream.services.agent.wav import read_wav
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from freeswitch_audio_stream.testing.peers.audiosocket_end import AUDIO, UUID, AudioSocketEnd
from freeswitch_audio_stream.testing.peers.raw_websocket import BINARY, RawServer, frame

from .conftest import Pair, call, likeness, wait_until

Samples = NDArray[np.int16]
SECONDS = int(os.environ.get("LIVE_SECONDS", "10"))
LEAST = {"rtp": 0.98, "sln": 0.99, "audiosocket": 0.99, "tcp": 0.99}
_EDGE = 4 * 8000  # samples at the beginning and at the end, by which drift is told


def speech(seconds: int, seed: int) -> Samples:
    """Noise with the spectrum of a voice, in bursts: nothing in it comes twice, so that any shift shows."""
    count = 8000 * seconds
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / 8000)
    spectrum[(frequencies < 200) | (frequencies > 3200)] = 0
    sound = np.fft.irfft(spectrum / np.maximum(frequencies, 200), count)
    loud = np.repeat(random.uniform(0.3, 1, count // 2000 + 1), 2000)[:count]
    return np.asarray(np.rint(sound / np.abs(sound).max() * loud * 12000), np.int16)


def write_wav(file: Path, samples: Samples) -> Path:
    with wave.open(str(file), "wb") as wav:
        wav.setparams((1, 2, 8000, 0, "NONE", ""))
        wav.writeframes(samples.astype("<i2").tobytes())
    return file


class Server:
    """One connection of one encapsulation: says `prompt` at its pace, and keeps what it hears."""

    def __init__(self, listener: RawServer, encapsulation: str, prompt: Samples) -> None:
        self.encapsulation = encapsulation
        self.heard: list[Samples] = []
        self.lateness = 0.0
        """Seconds by which a packet left late, at most."""
        if encapsulation == "tcp":
            self.frames = AudioSocketEnd(listener.accept_silently())
            assert self.frames.hear()[0] == UUID
        else:
            self.web = listener.accept()
        self.say = threading.Thread(target=self._say, args=(prompt,), daemon=True)
        self.say.start()
        threading.Thread(target=self._hear, daemon=True).start()

    @property
    def samples(self) -> int:
        """That were heard so far."""
        return sum(map(len, self.heard.copy()))

    def _say(self, prompt: Samples) -> None:
        began = time.monotonic()
        for number, start in enumerate(range(0, len(prompt), 160)):
            late = time.monotonic() - began - 0.02 * number
            self.lateness = max(self.lateness, late)
            time.sleep(max(0.0, -late))
            part = prompt[start:start + 160]
            if self.encapsulation == "tcp":
                self.frames.play(part)
            elif self.encapsulation == "rtp":
                header = struct.pack("!BBHII", 0x80, 0x80 * (number == 0), number & 0xFFFF, start, 7)
                self.web.send(frame(BINARY, header + samples_to_mulaw(part).tobytes()))
            else:
                self.web.send(frame(BINARY, part.astype("<i2").tobytes()))

    def _hear(self) -> None:
        try:
            while True:
                self._take(*(self.frames.hear() if self.encapsulation == "tcp" else self.web.hear()))
        except OSError:
            pass  # the end of the connection

    def _take(self, kind: int, payload: bytes) -> None:
        if kind != (AUDIO if self.encapsulation == "tcp" else BINARY):
            return
        if self.encapsulation == "rtp":
            self.heard.append(mulaw_to_samples(np.frombuffer(payload[12:], np.uint8)))
        else:
            self.heard.append(np.frombuffer(payload, "<i2").astype(np.int16))


def place(heard: Samples, part: Samples, about: int, reach: int = 8000) -> int:
    """Where `part` begins in `heard`, within `reach` samples of a place."""
    begin = max(0, about - reach)
    window = heard[begin:about + len(part) + reach].astype(float)
    size = len(window) + len(part)
    match = np.fft.irfft(np.fft.rfft(window, size) * np.conj(np.fft.rfft(part.astype(float), size)), size)
    return begin + int(match[:len(window) - len(part) + 1].argmax())


def drift(heard: Samples, said: Samples) -> int:
    """Samples by which the end of what was said comes later in `heard` than its beginning did."""
    first = place(heard, said[8000:8000 + _EDGE], 8000, len(heard))
    end = len(said) - 8000 - _EDGE
    return place(heard, said[end:end + _EDGE], first + end - 8000) - first - end + 8000


@pytest.fixture
def listeners() -> Iterator[dict[str, RawServer]]:
    """One for each encapsulation."""
    with ExitStack() as stack:
        yield {encapsulation: stack.enter_context(RawServer()) for encapsulation in LEAST}


def url_of(listener: RawServer, encapsulation: str) -> str:
    return f"audiosocket://127.0.0.1:{listener.port}" if encapsulation == "tcp" else listener.url


def record(events: EventSocket, uuid: str, file: Path) -> Path:
    assert events.api(f"uuid_record {uuid} start {file}").startswith("+OK")
    return file


def status_of(events: EventSocket, pair: Pair, stream_id: str) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(events.api(f"uuid_audio_stream {pair.leg} {stream_id} status"))
    return status


def test_both_ways(freeswitch: FreeSwitch, events: EventSocket, listeners: dict[str, RawServer],
                   tmp_path: Path) -> None:
    said, prompt = speech(SECONDS + 8, 1), speech(SECONDS, 2)
    file = write_wav(tmp_path / "said.wav", said)
    pairs, servers, recordings = {}, {}, {}
    for name, listener in listeners.items():
        pair = pairs[name] = call(freeswitch, events, "park", "L16", file)
        recordings[name] = record(events, pair.caller, tmp_path / f"{name}.wav")
        prefix = "" if name == "tcp" else f"{{protocol={name}}}"
        answer = events.api(f"uuid_audio_stream {pair.leg} s start {prefix}{url_of(listener, name)} inbound 8000 0 1")
        assert answer == "+OK Success"
        servers[name] = Server(listener, name, prompt)
    ends = {}
    for name, pair in pairs.items():
        servers[name].say.join(SECONDS + 60)
        status = status_of(events, pair, "s")
        wait_until(lambda: servers[name].samples >= 8 * status["msCaptured"])
        ends[name] = np.concatenate(servers[name].heard), status, servers[name].samples
        events.api(f"uuid_record {pair.caller} stop {recordings[name]}")
    for name, (inbound, status, received) in ends.items():
        heard = read_wav(recordings[name])[0]
        late = round(1000 * servers[name].lateness)
        to_server, to_caller = drift(inbound, said[:len(inbound)]), drift(heard, prompt)
        alike = likeness(inbound, said[:len(inbound)], 8000), likeness(heard, prompt, 8000)
        more = received + 160 * status["framesSkipped"] - 8 * status["msCaptured"]
        print(f"{name}: server hears {alike[0]:.5f}, caller hears {alike[1]:.5f}; drift {to_server} and {to_caller} "
              f"samples; {status['playbackQueueMs']} ms queued at the end, sent up to {late} ms late; "
              f"{more} samples more than were captured when that was looked at")
        assert min(alike) > LEAST[name]
        assert len(inbound) >= 8000 * (SECONDS - 1)
        assert (status["framesDropped"], status["playbackDroppedMs"], status["errors"]) == (0, 0, 0)
        # All that FreeSWITCH reads arrives, and no more than is under way comes on top of it.
        assert 0 <= more < 8000
        assert status["playbackQueueMs"] < 1000
        # FreeSWITCH's own clocks lose or repeat a packet now and then where the machine is busy, and a packet that we
        # send late is silence once; none of that is of one sign, as clocks that drift apart would be.
        assert abs(to_server) <= 1600 and abs(to_caller) <= 1600 + 8 * late


def test_external_media(freeswitch: FreeSwitch, events: EventSocket, listeners: dict[str, RawServer],
                        tmp_path: Path) -> None:
    prompt, file = speech(4, 3), write_wav(tmp_path / "said.wav", speech(15, 1))
    pairs, servers, recordings = {}, {}, {}
    for name, listener in listeners.items():
        pair = pairs[name] = call(freeswitch, events, "park", "L16", file)
        recordings[name] = record(events, pair.caller, tmp_path / f"{name}.wav")
        option = json.dumps({"url": url_of(listener, name), "encapsulation": "audiosocket" if name == "tcp" else name})
        events.api(f"uuid_transfer {pair.leg} 'm:^:external_media_start:{option}^park' inline")
        servers[name] = Server(listener, name, prompt)
    for name, pair in pairs.items():
        servers[name].say.join(60)
        wait_until(lambda: status_of(events, pair, "external_media")["playbackQueueMs"] == 0)
        events.api(f"uuid_record {pair.caller} stop {recordings[name]}")
        assert servers[name].heard == []
        assert likeness(read_wav(recordings[name])[0], prompt, 8000) > LEAST[name]
        assert events.api(f"uuid_getvar {pair.leg} uuid_audio_stream_result") == "+OK Success"


def test_a_server_that_reads_once_has_the_uuid_and_no_more(freeswitch: FreeSwitch, events: EventSocket,
                                                           tmp_path: Path) -> None:
    file = write_wav(tmp_path / "said.wav", speech(20, 1))
    pair = call(freeswitch, events, "park", "L16", file)
    with RawServer() as listener:
        for number in range(5):
            words = f"{pair.leg} s{number} start {url_of(listener, 'tcp')} inbound 8000 5 1"
            assert events.api(f"uuid_audio_stream {words}") == "+OK Success"
            sock = listener.accept_silently()
            assert sock.recv(65536) == struct.pack("!BH", UUID, 16) + uuid.UUID(pair.leg).bytes
            peer = AudioSocketEnd(sock)
            begin = time.monotonic()
            heard = len(peer.hear_audio(8000))
            # A second of audio takes a second; a backlog would have come at once.
            assert heard == 8000 and time.monotonic() - begin > 0.8
            status = status_of(events, pair, f"s{number}")
            assert (status["framesDropped"], status["captureQueueMs"]) == (0, status["captureQueueMs"] % 100)
            assert 0 < status["framesSkipped"] < 50
            assert events.api(f"uuid_audio_stream {pair.leg} s{number} stop").startswith("+OK")
