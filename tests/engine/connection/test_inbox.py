"""Pieces to messages, however they are cut and whatever comes between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from freeswitch_audio_stream.engine.connection.close_frame import close_payload, may_be_sent, read_close
from freeswitch_audio_stream.engine.connection.inbox import BINARY, PING, TEXT, Message, MessageAssembler, MessageTooBig
from freeswitch_audio_stream.realtime.path import Piece

LIMIT = 1000
CUTS = some.lists(some.binary(max_size=20), min_size=1, max_size=8)


def in_parts(text: str, ends: list[int]) -> list[bytes]:
    """A text, cut within its characters, too."""
    data = text.encode()
    places = sorted([0, *(end % (len(data) + 1) for end in ends), len(data)])
    return [data[first:last] for first, last in zip(places, places[1:])]


TEXT_CUTS = some.builds(in_parts, some.text(max_size=40), some.lists(some.integers(0, 200), max_size=7))


def pieces(opcode: int, parts: list[bytes]) -> list[Piece]:
    return [Piece(opcode, part, number == len(parts) - 1, False) for number, part in enumerate(parts)]


@given(some.lists(some.tuples(some.just(TEXT), TEXT_CUTS) | some.tuples(some.just(BINARY), CUTS), max_size=5))
def test_messages_come_out_whole_and_in_order(messages: list[tuple[int, list[bytes]]]) -> None:
    assembler = MessageAssembler(LIMIT)
    out = [assembler.add(piece) for opcode, parts in messages for piece in pieces(opcode, parts)]
    assert [message for message in out if message] == \
        [Message(opcode, b"".join(parts)) for opcode, parts in messages]


@given(TEXT_CUTS, CUTS)
def test_control_frames_come_between_the_pieces_of_a_message(parts: list[bytes], ping: list[bytes]) -> None:
    """The core may cut a control frame, too, where it arrives in two reads."""
    assembler = MessageAssembler(LIMIT)
    *begin, end = pieces(TEXT, parts)
    assert not any(assembler.add(piece) for piece in begin)
    *first, last = pieces(PING, ping)
    assert not any(assembler.add(piece) for piece in first)
    assert assembler.add(last) == Message(PING, b"".join(ping))
    assert assembler.add(end) == Message(TEXT, b"".join(parts))


def test_the_limit_is_exact_and_counts_each_message_alone() -> None:
    assembler = MessageAssembler(LIMIT)
    for _ in range(3):
        assert assembler.add(Piece(TEXT, b"x" * (LIMIT - 1), False, False)) is None
        assert assembler.add(Piece(PING, b"x" * 125, True, False)) is not None
        assert assembler.add(Piece(TEXT, b"x", True, False)) == Message(TEXT, b"x" * LIMIT)
    assembler.add(Piece(TEXT, b"x" * LIMIT, False, False))
    with pytest.raises(MessageTooBig):
        assembler.add(Piece(TEXT, b"x", False, False))


def test_whether_a_message_is_compressed_comes_with_it() -> None:
    assembler = MessageAssembler(LIMIT)
    assert assembler.add(Piece(TEXT, b"x", True, True)) == Message(TEXT, b"x", True)


@given(some.integers(1000, 4999), some.text(max_size=200))
def test_close_payloads_fit_a_control_frame(code: int, reason: str) -> None:
    payload = close_payload(code, reason)
    assert len(payload) <= 125
    close = read_close(payload)
    assert close.code == code and reason.startswith(close.reason)
    assert bool(close.fault) is not may_be_sent(code)


@given(some.binary(max_size=125))
def test_any_close_payload_can_be_read(payload: bytes) -> None:
    close = read_close(payload)
    assert 0 <= close.code <= 65535 and (len(payload) >= 2 or (close.code, close.reason) == (1005, ""))
    assert may_be_sent(close.answer)
    assert bool(close.fault) == (close.answer != (close.code if payload else 1000))
    assert not close.fault or close.answer in (1002, 1007)


@pytest.mark.parametrize("code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_codes_that_may_be_sent(code: int) -> None:
    close = read_close(code.to_bytes(2, "big") + "für".encode())
    assert (close.code, close.reason, close.answer, close.fault) == (code, "für", code, "")
    assert close.is_clean is (code in (1000, 1001, 1008) or code >= 4000)


@pytest.mark.parametrize("code", [0, 1, 999, *range(1004, 1007), 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_codes_that_must_not_be_sent(code: int) -> None:
    """RFC 6455 section 7.4: not even those that an application is shown."""
    close = read_close(code.to_bytes(2, "big"))
    assert close.answer == 1002 and str(code) in close.fault and not close.is_clean


def test_closes_that_are_not_well_formed() -> None:
    half = read_close(b"\x03")
    assert (half.code, half.answer, half.is_clean) == (1005, 1002, False) and half.fault
    for code, is_clean in ((1000, True), (1011, False)):
        close = read_close(code.to_bytes(2, "big") + b"caf\xe9")
        assert (close.code, close.answer, close.is_clean) == (code, 1007, is_clean) and "UTF-8" in close.fault


# Text.

TEXTS = ["", "plain", "κόσμε", "\0", "\ud7ff\ue000", "😀" * 20, "\U0010ffff"]
NO_TEXTS = {  # and at which of its bytes that shows
    b"\x80": 1, b"caf\xe9": None, b"\xc0\xaf": 1, b"\xed\xa0\x80": 3, b"\xf4\x90\x80\x80": 2, b"\xf8\x88": 1,
    b"ok\xff ok": 3, b"\xce\xba\xe1\xbd": None}


def at_once_or_in_octets(opcode: int, data: bytes, compressed: bool = False) -> list[list[Piece]]:
    octets = [Piece(opcode, data[at:at + 1], at == len(data) - 1, compressed) for at in range(len(data))]
    return [[Piece(opcode, data, True, compressed)], octets]


@pytest.mark.parametrize("text", TEXTS)
def test_text_however_it_is_cut(text: str) -> None:
    for cut in at_once_or_in_octets(TEXT, text.encode()):
        assert [message for message in map(MessageAssembler(LIMIT).add, cut) if message] == \
            [Message(TEXT, text.encode())] * bool(cut)


@pytest.mark.parametrize("data", NO_TEXTS)
def test_what_is_no_text_is_noticed_at_its_first_bad_byte(data: bytes) -> None:
    at_once, octets = at_once_or_in_octets(TEXT, data)
    with pytest.raises(UnicodeDecodeError):
        MessageAssembler(LIMIT).add(*at_once)
    assembler = MessageAssembler(LIMIT)
    bad = NO_TEXTS[data] or len(data)  # None: only the end of the message shows it
    for piece in octets[:bad - 1]:
        assembler.add(piece)
    with pytest.raises(UnicodeDecodeError):
        assembler.add(octets[bad - 1])


@pytest.mark.parametrize("data", NO_TEXTS)
def test_only_text_has_to_be_text(data: bytes) -> None:
    for cut in at_once_or_in_octets(BINARY, data):
        assert [message for message in map(MessageAssembler(LIMIT).add, cut) if message] == [Message(BINARY, data)]
    # What is compressed is judged when it has been decompressed.
    assert MessageAssembler(LIMIT).add(Piece(TEXT, data, True, True)) == Message(TEXT, data, True)
