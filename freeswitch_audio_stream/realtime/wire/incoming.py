"""From the peer: WebSocket frames (RFC 6455) parsed as they arrive, whatever the cuts.

Runs on a stream's I/O loop. Binary payload goes straight into the playback queue where the stream's protocol
says so, and so does audio in text messages that are alike (see `alike`). Everything else goes to the inbox, in pieces,
for Python. A connection on which messages may be compressed (RFC 7692) has its binary ones there, too: audio that had
to be inflated must not be overtaken by audio that had not. A peer that breaks the framing rules is reported once, with
the close code that answers it. What follows a close frame is discarded (section 1.4). Where the peer is the client,
its frames are masked, and unmasked in place, in the memory they were received in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, int32_at, load_acquire, pointer, wide
from ...native.compiler import native_helper
from ...native.libc import EAGAIN, EINTR, MSG_DONTWAIT_NOSIGNAL, copy, errno, recv
from ..media.playback import is_full
from ..records import (ATTEND_PEER_PROTOCOL, ENCAPSULATION_AUDIOSOCKET, ENCAPSULATION_RTP, ENCODING_MULAW,
                       FRAMING_AUDIOSOCKET, FRAMING_HTTP, FRAMING_SERVER, OFFSET, io_loop_at, stream_at)
from ..wakeup import attend
from .acknowledgements import take_acknowledgement
from .alike import take_alike
from .audiosocket import take_frames, take_message
from .delivery import (INBOX_HEADER, PIECE_COMPRESSED, PIECE_ENDS_FRAME, PIECE_ENDS_MESSAGE, gather,
                       octets_to_playback, to_inbox, to_playback)
from .encoding import xor_mask
from .http_incoming import take_answers
from .outgoing import COMPRESSED, OPCODE_BINARY, OPCODE_TEXT
from .rtp import take_packet
from .tls import tls_holds_more, tls_receive

_INBOX_READ, _HEADER = OFFSET["inbox_read"], OFFSET["header"]

RECEIVE_BYTES = 65536
_PATIENT_BYTES = 16384  # what a playback queue that was not yet full takes beyond what it may hold
OPCODE_CONTINUATION, _OPCODE_CLOSE = 0, 8
_RESERVED_BITS = 0x70
_SMALLEST_FRAME = 2
_MASKED, _KEY_BYTES = 0x80, 4
_CLOSE_PROTOCOL_ERROR = 1002
_MAX_PAYLOAD = 1 << 40

RECEIVED_ALL, RECEIVED_FULL, RECEIVED_END = range(3)


@native_helper
def _header_bytes(header: int, have: int) -> int:
    """How long the frame header at `header` is, as far as its first `have` bytes tell."""
    if have < 2:
        return 2
    second = wide(bytes_at(header, 2)[1])
    length, key = second & 127, (_KEY_BYTES if second & _MASKED else 0)
    if length == 126:
        return 4 + key
    return (10 if length == 127 else 2) + key


@native_helper
def _refuse(stream: Any, code: int) -> None:
    stream.protocol_error = code
    attend(stream.address, ATTEND_PEER_PROTOCOL)


@native_helper
def _begin_frame(stream: Any) -> None:
    """Read a complete header into the stream's parsing state, or refuse it."""
    header = bytes_at(stream.address + _HEADER, 16)
    masked = _MASKED if stream.framing == FRAMING_SERVER else 0
    first, second = wide(header[0]), wide(header[1])
    opcode, final, length = first & 15, first >> 7, second & 127
    if length >= 126:
        extended = 2 if length == 126 else 8
        length = wide(0)
        for index in range(extended):
            length = length << 8 | wide(header[2 + index])
    stream.opcode, stream.final, stream.payload_left, stream.frame_begins = opcode, final, length, 1
    if masked:
        stream.mask_offset = 0
        stream.mask = wide(int32_at(stream.address + _HEADER + stream.header_length - _KEY_BYTES, 1)[0]) & 0xFFFFFFFF
    control = opcode >= 8
    # The one bit that was negotiated; it is the message's, so only its first frame has it.
    begins_message = opcode != OPCODE_CONTINUATION and not control
    allowed = COMPRESSED if stream.deflate and begins_message else 0
    if first & _RESERVED_BITS & ~allowed or second & _MASKED != masked or length < 0 or length > _MAX_PAYLOAD:
        _refuse(stream, _CLOSE_PROTOCOL_ERROR)
    elif control:
        if not final or length > 125 or opcode > 10:
            _refuse(stream, _CLOSE_PROTOCOL_ERROR)
    elif opcode == OPCODE_CONTINUATION:
        if stream.message_opcode == 0:
            _refuse(stream, _CLOSE_PROTOCOL_ERROR)
    elif opcode > OPCODE_BINARY or stream.message_opcode != 0:
        _refuse(stream, _CLOSE_PROTOCOL_ERROR)
    else:
        stream.message_opcode, stream.message_compressed = opcode, first & COMPRESSED


@native_helper
def _take_audio(stream: Any, source: int, count: int, ends_message: bool) -> None:
    """A piece of a binary message that is to be played."""
    if stream.encapsulation == ENCAPSULATION_RTP:
        gather(stream, source, count)
        if ends_message:
            length = stream.packet_length
            stream.packet_length = 0
            if not stream.discards:
                take_packet(stream, stream.packet, length)
    elif stream.encapsulation == ENCAPSULATION_AUDIOSOCKET:
        take_message(stream, source, count, ends_message)
    elif stream.discards:
        return
    elif stream.binary_encoding == ENCODING_MULAW:
        octets_to_playback(stream, source, count, stream.binary_rate, stream.mulaw_levels)
    else:
        to_playback(stream, source, count, stream.binary_rate)


@native_helper
def _unmask(stream: Any, source: int, count: int) -> None:
    """Undo the mask of the next `count` payload bytes, in place; the key goes on where the last piece ended."""
    turned = 8 * stream.mask_offset
    xor_mask(source, count, (stream.mask >> turned | stream.mask << (32 - turned)) & 0xFFFFFFFF)
    stream.mask_offset = (stream.mask_offset + count) % _KEY_BYTES


@native_helper
def _piece(stream: Any, source: int, count: int) -> None:
    """Deliver `count` payload bytes of the frame at hand, its end included if these were its last."""
    stream.payload_left -= count
    ends_frame = stream.payload_left == 0
    control = stream.opcode >= 8
    opcode = stream.opcode if control else stream.message_opcode
    ends_message = ends_frame and stream.final
    whole = ends_message and stream.frame_begins and stream.opcode == OPCODE_TEXT and not stream.message_compressed
    stream.frame_begins = 0
    if whole and take_alike(stream, source, count):
        stream.messages_received += 1
    elif opcode == OPCODE_BINARY and stream.binary_playback and not stream.deflate:
        _take_audio(stream, source, count, ends_message)
        if ends_message:
            stream.messages_received += 1
    elif opcode == OPCODE_TEXT and stream.keeps_unacknowledged and not stream.message_compressed:
        take_acknowledgement(stream, source, count, ends_message)
        if ends_message:
            stream.messages_received += 1
    else:
        flags = (PIECE_ENDS_FRAME if ends_frame else 0) | (PIECE_ENDS_MESSAGE if ends_message else 0)
        flags |= PIECE_COMPRESSED if stream.message_compressed and not control else 0
        to_inbox(stream, opcode, flags, source, count)
        if ends_message:
            stream.messages_received += 1
    if ends_frame:
        stream.header_length = 0
        if opcode == _OPCODE_CLOSE:
            stream.peer_closed = 1
        elif ends_message and not control:
            stream.message_opcode = 0


@native_helper
def parse(stream: Any, data: int, count: int) -> None:
    """Take `count` received bytes at address `data`, which may be changed."""
    if stream.framing == FRAMING_AUDIOSOCKET:
        take_frames(stream, data, count)
        return
    if stream.framing == FRAMING_HTTP:
        take_answers(stream, data, count)
        return
    position = 0
    while position < count and stream.protocol_error == 0 and stream.peer_closed == 0:
        have = stream.header_length
        header = stream.address + _HEADER
        needed = _header_bytes(header, have)
        if have < needed:
            taken = min(needed - have, count - position)
            copy(header + have, data + position, taken)
            position += taken
            stream.header_length = have + taken
            if stream.header_length < _header_bytes(header, stream.header_length):
                continue
            _begin_frame(stream)
            if stream.protocol_error == 0 and stream.payload_left == 0:
                _piece(stream, data, 0)
            continue
        taken = min(stream.payload_left, count - position)
        if stream.framing == FRAMING_SERVER:
            _unmask(stream, data + position, taken)
        _piece(stream, data + position, taken)
        position += taken


@native_helper
def _allowance(stream: Any) -> int:
    """How many bytes may be received so that inbox and playback queue hold them at worst: the inbox, as nothing but
    empty frames."""
    if is_full(stream) and not stream.discards:
        return 0
    free = stream.inbox_capacity - (stream.inbox_write - load_acquire(stream.address + _INBOX_READ))
    # A message of which it is not known yet what it is may turn out to be nothing but empty frames, too.
    free -= INBOX_HEADER * min(stream.packet_length, stream.packet_capacity) // 2
    return min(_PATIENT_BYTES if stream.patient else RECEIVE_BYTES,
               (free - INBOX_HEADER) * _SMALLEST_FRAME // (INBOX_HEADER + _SMALLEST_FRAME))


@native_helper
def has_room(stream: Any) -> bool:
    """Return whether inbox and playback queue take another frame."""
    return _allowance(stream) >= _SMALLEST_FRAME


@native_helper
def _receive_some(stream: Any, buffer: int, count: int) -> int:
    """Return how many bytes came, 0 at the end, or −errno."""
    if stream.tls:
        return tls_receive(stream.tls, buffer, count)
    received = recv(np.int32(stream.fd), pointer(buffer), np.uint64(count), np.int32(MSG_DONTWAIT_NOSIGNAL))
    return received if received >= 0 else -errno()


@native_helper
def receive(loop: int, address: int) -> int:
    """Read from the stream's socket; RECEIVED_… FULL means that Python has to empty the inbox first."""
    stream = stream_at(address)
    buffer = io_loop_at(loop).received
    while has_room(stream):
        count = _receive_some(stream, buffer, _allowance(stream))
        if count == -EAGAIN:
            return RECEIVED_ALL
        if count == -EINTR:
            continue
        if count <= 0:
            stream.socket_error = -count
            return RECEIVED_END
        stream.bytes_received += count
        parse(stream, buffer, count)
        # What a TLS session holds already, epoll does not tell of; what the socket holds, it tells again.
        if stream.protocol_error or not (stream.tls and tls_holds_more(stream.tls)):
            return RECEIVED_ALL
    return RECEIVED_FULL
