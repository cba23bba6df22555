"""What the core has counted for one stream."""

from __future__ import annotations

from typing import NamedTuple


class Statistics(NamedTuple):
    """Counters of one stream since it began; samples are per channel, at the rate named."""

    captured_frames: int
    """Frames read from the call."""
    captured: int
    """Samples put into the capture ring, at the stream's rate."""
    dropped: int
    """Samples that found the ring full, at the stream's rate."""
    skipped: int
    """Samples that were captured while an AudioSocket connection was not yet there, or not long enough."""
    waiting: int
    """Samples in the capture ring, at the stream's rate."""
    unacknowledged: int
    """Those of them that have been sent, and that the server has not acknowledged."""
    messages_sent: int
    bytes_sent: int
    """Bytes that the socket took, framing included."""
    messages_received: int
    bytes_received: int
    played: int
    """Samples played to the caller, at the rates at which they came."""
    cleared: int
    caught_up: int
    """Samples that were left out, to catch up; among those played."""
    play_dropped: int
    """Samples that found the playback queue full."""
    queued: int
    """Samples that the playback queue has taken in, at the rates at which they came."""
    play_waiting: int
    play_rate: int
    """Hz of what waits in the playback queue."""


class Packets(NamedTuple):
    """What became of the RTP packets from the peer that were not simply played, since the stream began."""

    malformed: int
    """No RTP packets at all (RFC 3550 section 5.1), or longer than jitter_buffer.MAX_PACKET."""
    unknown: int
    """Of another payload type than 0, 8 and 11."""
    lost: int
    """Never came, or too late; silence was played for them."""
    late: int
    """Came too late, or far off the sequence, and were dropped."""
    repeated: int
    """Came again."""
