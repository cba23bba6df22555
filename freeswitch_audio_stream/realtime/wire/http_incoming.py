"""From an HTTP server: the answers of HTTP/1.1 (RFC 9112), parsed as they arrive, whatever the cuts.

Runs on a stream's I/O loop. An answer that takes the audio in flight as it should costs no Python: its samples leave
the ring. What says anything else about it goes to the inbox as one piece, and so does every answer to a message of the
outbox, in pieces: its head, up to the empty line, and its body without the framing of chunks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, store_release, wide
from ...native.compiler import native_helper
from ..records import ATTEND_PEER_PROTOCOL, AWAITS_JUDGEMENT, AWAITS_MEDIA, AWAITS_NOTHING, OFFSET
from ..wakeup import attend
from .delivery import PIECE_ENDS_FRAME, PIECE_ENDS_MESSAGE, gather, to_inbox

_CAPTURE_READ = OFFSET["capture_read"]

ABOUT_MEDIA = 0x200
"""In place of an opcode: an answer to audio. Answers to messages have OPCODE_ANSWER."""
OPCODE_ANSWER = 2
NO_HTTP = 400
"""What `protocol_error` is where the server does not answer as HTTP has it."""

# What the next byte of an answer belongs to.
_HEAD, _BODY, _SIZE, _CHUNK, _CHUNK_END, _TRAILER, _TO_THE_END = range(7)
_CR, _LF, _BLANK, _TAB, _COLON, _SEMICOLON = 13, 10, 32, 9, 58, 59
_MOST = 1 << 40
_ENDS = PIECE_ENDS_FRAME | PIECE_ENDS_MESSAGE
_LENGTH = np.frombuffer(b"content-length", np.uint8).copy()
_CODING = np.frombuffer(b"transfer-encoding", np.uint8).copy()
_CONNECTION = np.frombuffer(b"connection", np.uint8).copy()
_CHUNKED = np.frombuffer(b"chunked", np.uint8).copy()
_CLOSE = np.frombuffer(b"close", np.uint8).copy()
_KEEP_ALIVE = np.frombuffer(b"keep-alive", np.uint8).copy()
_VERSION = np.frombuffer(b"http/1.", np.uint8).copy()
_SESSION_GONE = np.frombuffer(b"session_not_found", np.uint8).copy()
_INVALID_AUDIO = np.frombuffer(b"invalid_audio", np.uint8).copy()


@native_helper
def _refuse(stream: Any) -> None:
    stream.protocol_error = NO_HTTP
    attend(stream.address, ATTEND_PEER_PROTOCOL)


@native_helper
def _is(text: Any, begin: int, end: int, word: Any) -> bool:
    """Return whether bytes begin … end are the word, which is in lower case, in any case."""
    if end - begin != len(word):
        return False
    for index in range(len(word)):
        octet = wide(text[begin + index])
        if (octet | 32 if 65 <= octet <= 90 else octet) != word[index]:
            return False
    return True


@native_helper
def _holds(text: Any, begin: int, end: int, word: Any) -> bool:
    """Return whether the word stands anywhere in bytes begin … end."""
    for place in range(begin, end - len(word) + 1):
        if text[place] == word[0] and _is(text, place, place + len(word), word):
            return True
    return False


@native_helper
def _number(text: Any, begin: int, end: int) -> int:
    """Return a decimal number; −1 for anything else."""
    number = wide(0)
    for place in range(begin, end):
        if not 48 <= text[place] <= 57 or number > _MOST:
            return -1
        number = 10 * number + text[place] - 48
    return number if end > begin else -1


@native_helper
def _take_status(stream: Any, text: Any, end: int) -> bool:
    """Read the status line; return whether it is one."""
    if end < 12 or not _is(text, 0, 7, _VERSION) or not 48 <= text[7] <= 57 or text[8] != _BLANK:
        return False
    stream.answer_status = _number(text, 9, 12)
    stream.answer_closes = 1 if text[7] == 48 else 0
    return stream.answer_status >= 100 and (end == 12 or text[12] == _BLANK)


@native_helper
def _take_header(stream: Any, text: Any, begin: int, end: int) -> bool:
    """Read one line of a head; return whether it is one. `answer_left` is −1 until a length is known."""
    colon = begin
    while colon < end and text[colon] != _COLON:
        if text[colon] <= _BLANK:
            return text[begin] <= _BLANK  # it goes on with the line before, of which nothing here is made (section 5.2)
        colon += 1
    if colon == begin or colon == end:
        return False
    first, last = colon + 1, end
    while first < last and (text[first] == _BLANK or text[first] == _TAB):
        first += 1
    while last > first and (text[last - 1] == _BLANK or text[last - 1] == _TAB):
        last -= 1
    if _is(text, begin, colon, _LENGTH):
        length = _number(text, first, last)
        if length < 0 or length > _MOST or stream.answer_left >= 0 and stream.answer_left != length:
            return False
        stream.answer_left = length
    elif _is(text, begin, colon, _CODING):
        if not _is(text, first, last, _CHUNKED):
            return False
        stream.answer_part = _SIZE
    elif _is(text, begin, colon, _CONNECTION):
        if _holds(text, first, last, _CLOSE):
            stream.answer_closes = 1
        elif _holds(text, first, last, _KEEP_ALIVE):
            stream.answer_closes = 0
    return True


@native_helper
def _read_head(stream: Any) -> bool:
    """Read the whole head in `packet`: what the body is made of is in `answer_part` and `answer_left` then."""
    text = bytes_at(stream.packet, stream.packet_length)
    stream.answer_part, stream.answer_left = _BODY, -1
    begin, is_first = wide(0), True
    for place in range(stream.packet_length):
        if text[place] != _LF:
            continue
        end = place - 1 if place > begin and text[place - 1] == _CR else place
        if is_first:
            if not _take_status(stream, text, end):
                return False
        elif end > begin and not _take_header(stream, text, begin, end):
            return False
        begin, is_first = place + 1, False
    return True


@native_helper
def _begin_answer(stream: Any) -> None:
    stream.answer_part, stream.packet_length, stream.answer_line = _HEAD, 0, 0


@native_helper
def _judge(stream: Any) -> None:
    """The answer to the audio in flight is in `packet`: free its samples, or leave them where Python has to know more.

    A server that cannot use the audio would refuse it again and again; whatever else it says, it may take it later.
    """
    held = min(stream.packet_length, stream.packet_capacity)
    text = bytes_at(stream.packet, held)
    taken = 200 <= stream.answer_status < 300
    refused = stream.answer_status in (400, 413, 422) or taken and _holds(text, 0, held, _INVALID_AUDIO)
    if refused or taken and not _holds(text, 0, held, _SESSION_GONE):
        store_release(stream.address + _CAPTURE_READ, stream.capture_read + stream.in_flight)
        stream.in_flight, stream.awaits = 0, AWAITS_NOTHING
        stream.accepted += 1
        if not refused:
            return
    else:
        stream.awaits = AWAITS_JUDGEMENT
    to_inbox(stream, ABOUT_MEDIA, _ENDS, stream.packet, held)


@native_helper
def _end_answer(stream: Any) -> None:
    if stream.awaits == AWAITS_MEDIA:
        _judge(stream)
    else:
        to_inbox(stream, OPCODE_ANSWER, _ENDS, stream.packet, 0)
        stream.awaits = AWAITS_NOTHING
    stream.answers += 1
    stream.messages_received += 1
    if stream.out_position < stream.out_length:
        # It has not heard the request to its end, and would take the rest for another.
        stream.answer_closes, stream.out_position = 1, stream.out_length
    _begin_answer(stream)


@native_helper
def _end_head(stream: Any) -> None:
    closed_before = stream.answer_closes
    if stream.packet_length > stream.packet_capacity or not _read_head(stream):
        _refuse(stream)
        return
    status = stream.answer_status
    if status < 200:
        if status == 101:
            _refuse(stream)
        stream.answer_closes = closed_before
        _begin_answer(stream)  # the answer itself is still to come (RFC 9110 section 15.2)
        return
    if stream.awaits != AWAITS_MEDIA:
        to_inbox(stream, OPCODE_ANSWER, 0, stream.packet, stream.packet_length)
        stream.packet_length = 0
    if status == 204 or status == 304 or stream.answer_part == _BODY and stream.answer_left == 0:
        _end_answer(stream)
    elif stream.answer_part == _BODY and stream.answer_left < 0:
        stream.answer_part, stream.answer_closes = _TO_THE_END, 1
    elif stream.answer_part == _SIZE:
        stream.answer_left, stream.answer_line = 0, 0


@native_helper
def _take_head(stream: Any, data: int, count: int) -> int:
    """Take bytes up to the empty line that ends a head; return how many."""
    octets = bytes_at(data, count)
    for place in range(count):
        if octets[place] == _LF:
            if stream.answer_line == 0:
                gather(stream, data, place + 1)
                _end_head(stream)
                return place + 1
            stream.answer_line = 0
        elif octets[place] != _CR:
            stream.answer_line += 1
    gather(stream, data, count)
    if stream.packet_length > stream.packet_capacity:
        _refuse(stream)
    return count


@native_helper
def _take_body(stream: Any, data: int, count: int) -> None:
    if count == 0:
        return
    if stream.awaits == AWAITS_MEDIA:
        gather(stream, data, count)
    else:
        to_inbox(stream, OPCODE_ANSWER, 0, data, count)


@native_helper
def _hex_digit(octet: int) -> int:
    if 48 <= octet <= 57:
        return octet - 48
    octet |= 32
    return octet - 87 if 97 <= octet <= 102 else -1


@native_helper
def _take_size(stream: Any, octet: int) -> None:
    """One byte of a chunk's size; `answer_line`: digits so far, and from 1000 on what comes after them."""
    if octet == _LF:
        if stream.answer_line % 1000 == 0:
            _refuse(stream)
            return
        stream.answer_part = _CHUNK if stream.answer_left > 0 else _TRAILER
        stream.answer_line = 0
    elif stream.answer_line >= 1000:
        pass
    elif octet == _CR or octet == _SEMICOLON or octet == _BLANK or octet == _TAB:
        stream.answer_line += 1000
    else:
        digit = _hex_digit(octet)
        if digit < 0 or stream.answer_left > _MOST:
            _refuse(stream)
            return
        stream.answer_left = 16 * stream.answer_left + digit
        stream.answer_line = min(stream.answer_line + 1, 999)


@native_helper
def _take_line(stream: Any, octet: int) -> None:
    """One byte of what stands between chunks and after the last."""
    if stream.answer_part == _SIZE:
        _take_size(stream, octet)
    elif stream.answer_part == _CHUNK_END:
        if octet == _LF:
            stream.answer_part, stream.answer_left, stream.answer_line = _SIZE, 0, 0
        elif octet != _CR:
            _refuse(stream)
    elif octet != _LF:
        stream.answer_line += 0 if octet == _CR else 1
    elif stream.answer_line == 0:
        _end_answer(stream)
    else:
        stream.answer_line = 0


@native_helper
def take_answers(stream: Any, data: int, count: int) -> None:
    """Take the next bytes from a server. What it says unasked, such as that it has waited for too long, means that the
    connection is of no more use.
    """
    position = 0
    while position < count and stream.protocol_error == 0:
        if stream.awaits == AWAITS_NOTHING or stream.awaits == AWAITS_JUDGEMENT:
            stream.answer_closes = 1
            return
        rest = count - position
        if stream.answer_part == _HEAD:
            position += _take_head(stream, data + position, rest)
        elif stream.answer_part == _TO_THE_END:
            _take_body(stream, data + position, rest)
            position = count
        elif stream.answer_part == _BODY or stream.answer_part == _CHUNK:
            taken = min(stream.answer_left, rest)
            _take_body(stream, data + position, taken)
            stream.answer_left -= taken
            position += taken
            if stream.answer_left == 0:
                if stream.answer_part == _BODY:
                    _end_answer(stream)
                else:
                    stream.answer_part = _CHUNK_END
        else:
            _take_line(stream, wide(bytes_at(data + position, 1)[0]))
            position += 1


@native_helper
def end_answers(stream: Any) -> None:
    """The server has closed the connection, which may be the end of an answer."""
    if stream.answer_part == _TO_THE_END and stream.awaits != AWAITS_NOTHING:
        _end_answer(stream)


@native_helper
def begin_connection(stream: Any) -> None:
    """Start with a fresh connection. The audio that was in flight on the one before is still owed."""
    stream.awaits, stream.answers, stream.answer_closes = AWAITS_NOTHING, 0, 0
    _begin_answer(stream)
