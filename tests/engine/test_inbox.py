"""Pieces to messages, however they are cut and whatever comes between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from freeswitch_audio_stream.engine.close_frame import close_payload, close_reason
from freeswitch_audio_stream.engine.inbox import BINARY, PING, TEXT, Message, MessageAssembler, MessageTooBig
from freeswitch_audio_stream.realtime.path import Piece

LIMIT = 1000
CUTS = some.lists(some.binary(max_size=20), min_size=1, max_size=8)


def pieces(opcode: int, parts: list[bytes]) -> list[Piece]:
    return [Piece(opcode, part, number == len(parts) - 1, False) for number, part in enumerate(parts)]


@given(some.lists(some.tuples(some.sampled_from([TEXT, BINARY]), CUTS), max_size=5))
def test_messages_come_out_whole_and_in_order(messages: list[tuple[int, list[bytes]]]) -> None:
    assembler = MessageAssembler(LIMIT)
    out = [assembler.add(piece) for opcode, parts in messages for piece in pieces(opcode, parts)]
    assert [message for message in out if message] == \
        [Message(opcode, b"".join(parts)) for opcode, parts in messages]


@given(CUTS, CUTS)
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
    sent = 1000 if code in (1005, 1006, 1015) else code  # those three are for us alone (RFC 6455 section 7.4.1)
    assert close_reason(payload)[0] == sent and reason.startswith(close_reason(payload)[1])


@given(some.binary(max_size=125))
def test_any_close_payload_can_be_read(payload: bytes) -> None:
    code, reason = close_reason(payload)
    assert 0 <= code <= 65535 and (len(payload) >= 2 or (code, reason) == (1005, ""))
