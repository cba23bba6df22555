"""What scripts written for the community module do and test for, with a real FreeSWITCH."""

from __future__ import annotations

import ctypes
import json
import random
from pathlib import Path
from typing import Any

import pytest

from freeswitch_audio_stream.commands.words import separated
from freeswitch_audio_stream.testing import EventSocket, FreeSwitch
from freeswitch_audio_stream.testing.peers.recording_server import Peer, Server, stream_audio

from .conftest import wait_until

SUBCLASSES = [f"mod_audio_stream::{name}" for name in ("connect", "disconnect", "error", "json", "play")]
METADATA = {"name": "O'Hara", "note": "it's"}
JAVASCRIPT = json.dumps(METADATA).replace("'", r"\'")
"""As JSON.stringify(m).replace(/'/g, "\\'") has it."""


@pytest.fixture
def events(events: EventSocket) -> EventSocket:
    events.subscribe("CUSTOM " + " ".join(SUBCLASSES))
    return events


@pytest.fixture
def uuid(events: EventSocket) -> str:
    return events.api("originate loopback/park/default &park()").split()[1]


def bodies(events: EventSocket, uuid: str, name: str) -> list[str]:
    return [event["_body"] for event in list(events.events)
            if event.get("Event-Subclass") == f"mod_audio_stream::{name}" and event["Unique-ID"] == uuid]


def connect(events: EventSocket, uuid: str, server: Server, words: str = "mono 8k") -> Peer:
    number, connects = len(server.peers), len(bodies(events, uuid, "connect"))
    assert events.api(f"uuid_audio_stream {uuid} start {server.url} {words}") == "+OK Success"
    peer = server.wait_for_peer(number + 1)
    wait_until(lambda: len(bodies(events, uuid, "connect")) > connects)
    return peer


def test_text_is_read_as_switch_separate_string_reads_it(freeswitch: FreeSwitch) -> None:
    library = next(freeswitch.prefix.glob("lib*/**/libfreeswitch.so"), None) or "libfreeswitch.so.1"
    separate: Any = ctypes.CDLL(str(library)).switch_separate_string
    separate.argtypes = (ctypes.c_char_p, ctypes.c_char, ctypes.POINTER(ctypes.c_char_p), ctypes.c_uint)
    separate.restype = ctypes.c_uint
    chance, words = random.Random(1), (ctypes.c_char_p * 3)()
    for _ in range(20_000):
        text = "".join(chance.choice("'\\\" abnrst{}:é\t") for _ in range(chance.randint(1, 14))).strip()
        line = ctypes.create_string_buffer(f"uuid word {text}".strip().encode())
        count = separate(ctypes.cast(line, ctypes.c_char_p), b" ", words, 3)
        assert separated(text) == ((words[2] or b"").decode() if count == 3 else ""), text


def test_metadata_of_javascript_by_the_event_socket_and_the_dialplan(events: EventSocket, uuid: str) -> None:
    with Server() as server:
        peer = connect(events, uuid, server, f"mono 8k {JAVASCRIPT}")
        assert events.api(f"uuid_audio_stream {uuid} send_text '{JAVASCRIPT}'") == "+OK Success"
        assert events.api(f"uuid_audio_stream {uuid} stop {JAVASCRIPT}") == "+OK Success"
        assert peer.closed() == 1000
        assert [json.loads(text) for text in peer.texts] == [METADATA] * 3
        start = f"uuid_audio_stream:{uuid} start {server.url} mono 8k one two"
        unknown = f"set:answer=${{uuid_audio_stream({uuid} bogus)}}"
        events.api(f"uuid_transfer {uuid} 'm:^:{start}^{unknown}^park:' inline")
        peer = server.wait_for_peer(2)
        peer.wait_for(lambda peer: peer.texts)
        assert peer.texts == ["one two"]
        wait_until(lambda: events.api(f"uuid_getvar {uuid} answer").startswith("-ERR there is no action bogus"))


def test_answers(events: EventSocket, uuid: str) -> None:
    with Server() as server:
        for words in ("bogus", f"strat {server.url} mono", "send_text", f"start {server.url} weird 8k", "stop"):
            assert events.api(f"uuid_audio_stream {uuid} {words}").startswith("-ERR")
        for words in ("start", f"start {server.url}"):
            assert events.api(f"uuid_audio_stream {uuid} {words}").startswith("-USAGE")
        connect(events, uuid, server, "mono 8000Hz").close(1000)
        wait_until(lambda: bodies(events, uuid, "disconnect"))
        answers = [events.api(f"uuid_audio_stream {uuid} {words}") for words in ("pause", "resume", "stop", "stop")]
        assert answers[:3] == ["+OK Success"] * 3 and answers[3].startswith("-ERR no stream")


def test_text_straight_after_start(events: EventSocket, uuid: str) -> None:
    with Server() as server:
        for number in range(12):
            for words in (f"start {server.url} mono 8k m{number}", f"send_text t{number}"):
                assert events.api(f"uuid_audio_stream {uuid} {words}") == "+OK Success"
            peer = server.wait_for_peer(number + 1)
            peer.wait_for(lambda peer: len(peer.texts) == 2)
            assert peer.texts == [f"m{number}", f"t{number}"]
            assert events.api(f"uuid_audio_stream {uuid} stop") == "+OK Success"


def test_files_are_counted_and_what_is_none_is_a_text(events: EventSocket, uuid: str) -> None:
    with Server() as server:
        for stream in range(2):
            peer = connect(events, uuid, server)
            unusable = json.dumps({"type": "streamAudio", "data": {"audioDataType": "flac"}})
            peer.send(unusable)
            peer.send({"type": "streamAudio",
                       "data": {"audioDataType": "raw", "sampleRate": 8000, "audioData": "AQD_fw"}})
            peer.send(stream_audio("wav", b"as it came"))
            wait_until(lambda: len(bodies(events, uuid, "play")) == 2 * stream + 2)
            files = [Path(json.loads(body)["file"]) for body in bodies(events, uuid, "play")][-2:]
            assert [file.name for file in files] == [f"{uuid}_0.tmp.r8", f"{uuid}_1.tmp.wav"]
            assert files[0].read_bytes() == b"\x01\x00\xff\x7f"
            assert bodies(events, uuid, "json") == [unusable] * (stream + 1) and bodies(events, uuid, "error") == []
            assert events.api(f"uuid_audio_stream {uuid} stop") == "+OK Success"


def test_variables(events: EventSocket, uuid: str) -> None:
    headers = '{"X-Tenant":"seven","X-Number":7,"Host":"voice.example"}'
    for name, value in {"STREAM_EXTRA_HEADERS": headers, "STREAM_BUFFER_SIZE": "60ms"}.items():
        assert events.api(f"uuid_setvar {uuid} {name} {value}").startswith("+OK")
    with Server() as server:
        peer = connect(events, uuid, server)
        sent = {name: value for name, value in peer.headers.raw_items()
                if name in ("Host", "Origin") or name.startswith("X-")}
        assert sent == {"Host": "voice.example", "Origin": f"http://127.0.0.1:{server.port}", "X-Tenant": "seven"}
        peer.wait_for(lambda peer: len(peer.chunks) >= 3)
        assert {len(chunk) for chunk in peer.chunks} == {960}


@pytest.mark.parametrize("code", [1008, 4000])
def test_a_server_that_refuses_is_not_asked_again(events: EventSocket, uuid: str, code: int) -> None:
    with Server() as server:
        connect(events, uuid, server).close(code, "not you")
        wait_until(lambda: bodies(events, uuid, "disconnect"))
        wait_until(lambda: events.api("uuid_audio_stream list") == "[]")
        assert len(server.peers) == 1
