"""What the receiver does with a whole message: reads the stamp in its audio, or answers it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...native.atomics import bytes_at, int64_at, wide
from ...native.compiler import native_helper
from ...realtime.wire.encoding import base64
from ...realtime.wire.rtp import RTP_HEADER
from ..histogram import count_duration
from ..stamps import NO_STAMP, STAMP_SAMPLES, age_of_l16, age_of_mulaw, stamp
from .encrypted_io import give
from .records import BASE64_REPLY, BUFFER_BYTES, L16_REPLY, RTP_REPLY, STAMPS_JSON, STAMPS_L16, control_at

STAMP_BYTES = 2 * STAMP_SAMPLES
_STAMP_CHARACTERS = STAMP_BYTES // 3 * 4
_PACKET_SAMPLES = 160
_AUDIO_KEY = int.from_bytes(b'"audio":', "little")


@native_helper
def unmask(target: int, source: int, count: int, key: int) -> None:
    """Copy `count` masked bytes in clear; `key` is the address of the four bytes of the key (RFC 6455)."""
    masked, plain, keys = bytes_at(source, count), bytes_at(target, count), bytes_at(key, 4)
    for index in range(count):
        plain[index] = masked[index] ^ keys[index & 3]


@native_helper
def _sextet(character: int) -> int:
    if character >= 97:
        return character - 71
    if character >= 65:
        return character - 65
    if character >= 48:
        return character + 4
    return 62 if character == 43 else 63


@native_helper
def unpack_base64(text: int, groups: int) -> None:
    """Decode groups of four characters in place, without a look at what they are."""
    characters = bytes_at(text, 4 * groups)
    for group in range(groups):
        word = wide(0)
        for index in range(4):
            word = word << 6 | _sextet(wide(characters[4 * group + index]))
        for index in range(3):
            characters[3 * group + index] = np.uint8(word >> (16 - 8 * index) & 255)


@native_helper
def age_in_json(message: int, count: int) -> int:
    """The age in microseconds of the audio in a JSON message, or NO_STAMP. The message is spoilt."""
    for place in range(message, message + count - _STAMP_CHARACTERS - 9):
        if int64_at(place, 1)[0] == _AUDIO_KEY:
            text = place + 9
            unpack_base64(text, _STAMP_CHARACTERS // 4)
            return age_of_l16(text, STAMP_SAMPLES)
    return NO_STAMP


@native_helper
def read_stamp(control: int, payload: int, count: int, key: int) -> None:
    """Count the age of a masked message's audio."""
    record = control_at(control)
    clear = record.scratch
    if record.stamps == STAMPS_JSON:
        count = min(count, BUFFER_BYTES)
        unmask(clear, payload, count, key)
        age = age_in_json(clear, count)
    else:
        unmask(clear, payload, min(count, STAMP_BYTES), key)
        age = age_of_l16(clear, count // 2) if record.stamps == STAMPS_L16 else age_of_mulaw(clear, count)
    if age == NO_STAMP:
        record.unread += 1
    else:
        count_duration(record.ages, 1000 * age)


@native_helper
def number_packet(packet: int, number: int) -> None:
    """Give an RTP packet in a masked message its sequence number and timestamp (RFC 3550)."""
    octets, key = bytes_at(packet, RTP_HEADER), bytes_at(packet - 4, 4)
    word = (number & 0xFFFF) << 32 | (_PACKET_SAMPLES * number & 0xFFFFFFFF)
    for index in range(2, 8):
        octets[index] = np.uint8(word >> 8 * (7 - index) & 255) ^ key[index & 3]


@native_helper
def reply(control: int, connection: Any) -> bool:
    """Send the prepared message, stamped or numbered where that was asked for; False if it did not fit."""
    record = control_at(control)
    audio = record.reply + record.reply_audio_at
    if record.reply_kind == L16_REPLY:
        stamp(audio, record.reply_audio_bytes // 2)
    elif record.reply_kind == BASE64_REPLY:
        stamp(record.scratch, STAMP_SAMPLES)
        base64(audio, record.scratch, STAMP_BYTES, record.base64_table)
    elif record.reply_kind == RTP_REPLY:
        number_packet(audio - RTP_HEADER, connection.replies)
    connection.replies += 1
    return give(connection, record.reply, record.reply_bytes)
