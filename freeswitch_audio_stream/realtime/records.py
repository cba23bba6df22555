"""The records that Python, FreeSWITCH's media threads and the compiled threads share.

Every field is a native-endian ``int64`` at an 8-byte boundary, so any of them can be loaded and stored
atomically. A field has one writer; the comment of its group names it. A position counts samples (or bytes)
since the stream began and never wraps; what differs between two positions is the fill of a queue.

The memory of a record is never given back while the process lives: FreeSWITCH may still hold its address.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..native.atomics import pointer
from ..native.compiler import carray, native_helper
from ..native.memory import CACHE_LINE

MAX_STREAMS = 4096
SCRATCH_BYTES = 1 << 20  # of an I/O loop
QUEUE_SLOTS = 8192  # a power of two, and more than streams there are: a stream waits in a queue at most once

# What the capture ring holds for each sample time.
LAYOUT_INBOUND, LAYOUT_OUTBOUND, LAYOUT_INTERLEAVED, LAYOUT_MIXED = range(4)

# How a capture chunk is put on the wire.
PAYLOAD_BINARY, PAYLOAD_BASE64, PAYLOAD_RTP = range(3)
PART_LITERAL, PART_PAYLOAD, PART_SEQUENCE, PART_CHUNK, PART_TIMESTAMP = range(5)
ENCODING_L16, ENCODING_MULAW, ENCODING_ALAW = range(3)

# What the I/O loop is asked to do with a stream's socket.
SOCKET_NONE, SOCKET_ATTACH, SOCKET_DETACH = range(3)

# How bytes on the socket are cut into frames: as the client or the server end of a WebSocket (RFC 6455), as AudioSocket
# has it, or as the requests and answers of HTTP/1.1 (RFC 9112).
FRAMING_CLIENT, FRAMING_SERVER, FRAMING_AUDIOSOCKET, FRAMING_HTTP = range(4)

# What the answer is to that the HTTP server owes: nothing, the audio in flight, a message of the outbox; or it has
# answered the audio in flight with something that Python has to judge, and the connection is of no more use.
AWAITS_NOTHING, AWAITS_MEDIA, AWAITS_MESSAGE, AWAITS_JUDGEMENT = range(4)

# What is in the peer's binary messages, where the I/O loop takes them: samples, RTP packets, or what the first of
# them shows, samples or AudioSocket frames.
ENCAPSULATION_NONE, ENCAPSULATION_RTP, ENCAPSULATION_AUDIOSOCKET = range(3)
PEER_UNKNOWN, PEER_FRAMES, PEER_BARE = range(3)

# Capture on the wire: held back, flowing, or flowing until the ring is empty.
FLOW_HELD, FLOW_OPEN, FLOW_DRAIN = range(3)

# What a paused stream captures: everything, nothing, or silence.
PAUSED_NOT, PAUSED_GAP, PAUSED_SILENCE = range(3)

# Bits of `attention`: what the dispatcher has to look at.
ATTEND_READ_CLOSED = 1 << 0
ATTEND_WRITE_CLOSED = 1 << 1
ATTEND_REPLACE_CLOSED = 1 << 2
ATTEND_INBOX = 1 << 3
ATTEND_MARK = 1 << 4
ATTEND_OVERRUN = 1 << 5
ATTEND_SOCKET_BROKEN = 1 << 6
ATTEND_SOCKET_DETACHED = 1 << 7
ATTEND_DRAINED = 1 << 8
ATTEND_PLAYBACK_STARTED = 1 << 9
ATTEND_PLAYBACK_IDLE = 1 << 10
ATTEND_PLAYBACK_OVERRUN = 1 << 11
ATTEND_RATE = 1 << 12
ATTEND_WRITE_CODEC = 1 << 13
ATTEND_CLOCK_OFF = 1 << 14
ATTEND_PEER_PROTOCOL = 1 << 15
ATTEND_WAKE = 1 << 16
ATTEND_PLAYBACK_FULL = 1 << 17
ATTEND_GARBAGE = 1 << 18
ATTEND_PLAYBACK_LEVEL = 1 << 19

# Entries of the playback side list: int64 position, kind, value, status, and how much had been heard when it settled.
MARK_WORDS = 5
MARK_NAMED, MARK_RATE = range(2)
MARK_PENDING, MARK_PLAYED, MARK_CLEARED = range(3)


def _record(*groups: str) -> np.dtype[Any]:
    names = [name for group in groups for name in group.split()]
    size = -(-8 * len(names) // CACHE_LINE) * CACHE_LINE
    return np.dtype({"names": names, "formats": ["i8"] * len(names),
                     "offsets": [8 * index for index in range(len(names))], "itemsize": size})


FUNCTIONS = _record(
    "switch_core_media_bug_read switch_core_media_bug_get_write_replace_frame"
    " switch_core_media_bug_set_write_replace_frame switch_core_session_get_read_impl"
    " switch_core_session_get_write_impl switch_core_session_write_frame"
    " switch_channel_get_state switch_channel_test_ready switch_mutex_unlock")
"""Addresses of the C functions that compiled code calls; written once, at load."""

QUEUE = _record(
    "slots event_fd",      # address of int64[QUEUE_SLOTS] and an eventfd; written once
    "tail",                # producers
    "head",                # the consumer
    "sleeping",            # 1 while the consumer sleeps or is about to
)
"""A queue of stream indices, many writers and one reader, which wakes its reader only when that sleeps."""

RING = _record(
    "pages table spare count",          # addresses of the pages and of two uint16[count]; written once
    "fresh spares reclaimed reached",   # the writer: pages used so far, those in `spare`, stretches of positions whose
                                        # pages it has taken back, and those that have had one
)
"""A queue whose memory is pages that are given to stretches of its positions by a table."""

RESAMPLER = _record(
    "from_rate to_rate up down taps coefficients",  # the table in use
    "phase",                                        # position of the next output, in 1/up input samples
    "work",                                         # address of float32[RESAMPLER_WORK]: history, then input
)
"""The state of one polyphase resampler; belongs to the one thread that runs it."""

RESAMPLER_BLOCK = 1024
RESAMPLER_WORK = 4096
MAX_TAPS = RESAMPLER_WORK - RESAMPLER_BLOCK


DTMF = _record(
    "from_rate factor",          # Hz of the samples that come, and how many of them become one
    "window hop filled",         # in those: a window, the way to the next, and how much of the next there is
    "sum summed",                # the sample in the making
    "heard",                     # 1 when there was something to hear in the window before
    "digit hits misses length",  # the digit that is being heard, -1 for none, and in how many windows
    "work",                      # address of float64[DTMF_WORK]
)
"""The state of one detector of in-band digits; belongs to the one thread that runs it."""

TLS = _record("session SSL_read SSL_write SSL_pending SSL_get_error SSL_shutdown ERR_clear_error ERR_peek_error")
"""An OpenSSL session (``SSL *``) and the functions for it; the session belongs to the I/O loop."""

LIKENESS = _record(
    "head head_bytes tail tail_bytes",  # addresses: what is before and behind the audio, which is in base64
    "rate levels base64",               # Hz; addresses of the encoding's int16[256], 0 for L16, and of base64's table
)
"""What messages of audio that are alike have in common. Python writes it once, before a stream has its address."""

DTMF_WINDOW = 320  # samples, at least those of any window
DTMF_WORK = 3 * DTMF_WINDOW + 64


def _prefixed(prefix: str, record: np.dtype[Any]) -> str:
    return " ".join(f"{prefix}{name}" for name in record.names or ())


STREAM = _record(
    # Python, before the bugs are attached
    "address index functions tables session channel io_queue dispatch_queue clock_queue clock_thread",
    "layout channels wire_rate",
    "capture_ring capture_capacity stage_ring stage_capacity",
    "play_ring play_capacity marks marks_capacity outbox inbox inbox_capacity",
    "read_frame read_data write_frame write_data mix_data out out_capacity",
    "chunk payload encoding inband_dtmf dtmf digits",
    "templates parts_0 count_0 literals_0 parts_1 count_1 literals_1 template_bytes",
    "leftover leftover_bytes binary_playback binary_rate play_scratch play_seconds play_high play_low catch_up",
    "has_playback",
    "encapsulation patient packet packet_capacity decoded held heard gaps gaps_capacity audio_kind",
    "keeps_unacknowledged",
    "mulaw_levels alaw_levels rtp_source",
    # Python, before a socket is attached; the encoding of binary messages from the peer, also before it may send any
    "framing request_head request_head_bytes binary_encoding",
    # Python, at any time
    "numbers_requests skip_to discards paused flow socket_request socket_fd tls deflate outbox_write inbox_read",
    "clear_to clear_marks clear_count play_paused clock_stop marks_taken likeness inbox_settled",
    # Python, while no audio is sent on the connection
    "resumed acknowledged_base",
    # read side: the thread that reads the session
    "read_resampler clock_rate clock_remainder stage_read stage_seen stage_idle stage_primed",
    "capture_write captured captured_frames dropped overrun gap_open gaps_write",
    # write side: the thread that writes the session
    "write_resampler stage_write stage_step stage_dropped",
    # playback: the WRITE_REPLACE callback
    "play_resampler play_read play_rate play_flush marks_read clears_seen last_write last_foreign_write",
    "played cleared caught_up play_active play_lows play_least play_watched play_spare",
    # playback: whoever holds play_lock (the I/O loop or Python)
    "play_write play_write_rate marks_write play_dropped play_overrun play_highs",
    # write clock
    "clock_on clock_due clock_frame clock_codec clock_impl clock_written",
    # I/O loop
    "fd socket_error capture_read capture_sent sequence chunks_0 chunks_1 uncaptured outbox_read inbox_write",
    "out_position out_length waiting_write waiting_inbox",
    "header header_1 small small_1 header_length payload_left opcode message_opcode message_compressed final",
    "frame_begins alike",
    "mask mask_offset protocol_error peer_closed",
    "messages_sent bytes_sent bytes_received messages_received drained odd_byte has_odd_byte",
    "packet_length peer_kind frame_header frame_have frame_kind frame_left gaps_read",
    "rtp_sequence rtp_timestamp rtp_marker",
    "introduced introduced_at skipped",
    "awaits in_flight requests accepted answers answer_part answer_status answer_left answer_line answer_closes",
    "peer_known peer_source peer_next peer_clock peer_rate peer_restart peer_dry_at held_count",
    "rtp_malformed rtp_unknown rtp_lost rtp_late rtp_repeated garbage_told",
    # whoever closes a bug
    "inbox_at_close",
    # any thread, by atomic operation only
    "io_queued dispatch_queued clock_queued attention play_lock",
)
"""One stream. Comments above name who writes each group."""

IO_LOOP = _record(
    "queue streams epoll_fd stop longest_nap received scratch masks masks_left events",
    "base64_table mulaw_table alaw_table",
)
"""One I/O loop: its queue, its epoll instance and its scratch memory (addresses)."""

CLOCK_LOOP = _record("queue streams stop active active_count thread functions")
"""The write clock: its queue and the indices of the streams it is writing for."""

OFFSET = {name: int(STREAM.fields[name][1]) for name in STREAM.names or ()}  # type: ignore[index]


@native_helper
def stream_at(address: int) -> Any:
    """The STREAM record at an address."""
    return carray(pointer(address), (1,), STREAM)[0]


@native_helper
def queue_at(address: int) -> Any:
    """The QUEUE record at an address."""
    return carray(pointer(address), (1,), QUEUE)[0]


@native_helper
def functions_at(address: int) -> Any:
    """The FUNCTIONS record at an address."""
    return carray(pointer(address), (1,), FUNCTIONS)[0]


@native_helper
def ring_at(address: int) -> Any:
    """The RING record at an address."""
    return carray(pointer(address), (1,), RING)[0]


@native_helper
def resampler_at(address: int) -> Any:
    """The RESAMPLER record at an address."""
    return carray(pointer(address), (1,), RESAMPLER)[0]


@native_helper
def dtmf_at(address: int) -> Any:
    """The DTMF record at an address."""
    return carray(pointer(address), (1,), DTMF)[0]


@native_helper
def io_loop_at(address: int) -> Any:
    """The IO_LOOP record at an address."""
    return carray(pointer(address), (1,), IO_LOOP)[0]


@native_helper
def likeness_at(address: int) -> Any:
    """The LIKENESS record at an address."""
    return carray(pointer(address), (1,), LIKENESS)[0]


@native_helper
def clock_loop_at(address: int) -> Any:
    """The CLOCK_LOOP record at an address."""
    return carray(pointer(address), (1,), CLOCK_LOOP)[0]
