"""What a stream is told to do, and how many bytes that makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeswitch_audio_stream.benchmarks.work import (BINARY, BINARY_TLS, FORMATS, JSON_RESAMPLED, OURS, PEER_START,
                                                     Work, peer_module)
from freeswitch_audio_stream.commands import parse as parse_command

from .receiver.test_receiver import masked, plain


def test_labels_tell_works_apart() -> None:
    works = [Work(form, two, 8000, rate, tls) for form in FORMATS for two in (False, True) for rate in (8000, 16000)
             for tls in (False, True)]
    assert len({work.label for work in works}) == len(works)
    assert JSON_RESAMPLED.label == "ws json one-way 8000>16000"


@pytest.mark.parametrize("work, payload", [
    (BINARY, bytes(320)), (Work("binary", False, 8000, 16000), bytes(640)),
    (Work("mulaw", False, 8000, 8000), bytes(160))])
def test_bytes_of_a_message(work: Work, payload: bytes) -> None:
    assert work.message_bytes == len(masked(2, payload))


def test_bytes_of_a_json_message() -> None:
    text = b'{"event":"media","sequence":1234,"streamId":"bench","audio":"%s"}' % (b"A" * 428)
    assert Work("json", False, 8000, 8000).message_bytes == len(masked(1, text))


@pytest.mark.parametrize("form, bytes_of_it", [("rtp", 172), ("sln", 320), ("audiosocket", 320)])
def test_bytes_of_a_message_to_a_client_and_of_its_own(form: str, bytes_of_it: int) -> None:
    work = Work(form, True, 16000, 8000, attached=True)
    assert work.possible and work.label == f"attached {form} two-way 16000>8000"
    assert work.message_bytes == len(plain(bytes(bytes_of_it)))
    reply = work.reply()
    assert len(reply.frame) == work.message_bytes + 4 and reply.rtp == (form == "rtp")
    assert reply.audio_at + reply.audio_bytes == len(reply.frame)


@pytest.mark.parametrize("work", [Work("rtp", True, 8000, 8000), Work("sln", False, 8000, 16000, attached=True),
                                  Work("binary", False, 8000, 8000, attached=True)], ids=lambda work: work.label)
def test_what_there_is_not(work: Work) -> None:
    assert not work.possible


def test_the_commands_are_understood() -> None:
    for work in (BINARY, JSON_RESAMPLED, BINARY_TLS, Work("mulaw", True, 16000, 8000, True)):
        line = OURS.start_command("f7a4", "ws://127.0.0.1:1/0", work, Path("/tmp/ca.pem"))
        command = parse_command(line.partition(" ")[2])
        assert command.uuid == "f7a4"
    assert OURS.stop_command("f7a4", BINARY) == "uuid_audio_stream f7a4 bench stop"


def test_a_peer_does_what_it_can() -> None:
    peer = peer_module("begin {uuid} {rate}")
    assert peer.can(BINARY) and peer.can(BINARY_TLS)
    assert not peer.can(JSON_RESAMPLED) and not peer.can(Work("binary", True, 8000, 8000))
    assert peer.start_command("u", "ws://x", BINARY) == "begin u 8000"
    assert peer_module(PEER_START).start_command("u", "ws://x", BINARY) == "uuid_audio_stream u start ws://x mono 8000"
