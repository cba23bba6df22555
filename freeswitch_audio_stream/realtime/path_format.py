"""`PathFormat`: what one stream captures, how it travels, and how much memory that takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ..audio import Encoding
from ..protocols.audiosocket import RATES
from ..protocols.messages import Running
from .media.frames import FRAME_BYTES, FRAME_DATA_BYTES, IMPLEMENTATION_BYTES
from .media.playback import RENDER_OFFSET
from .media.write_clock import FRAME_DATA_OFFSET
from .records import (DTMF, DTMF_WORK, ENCAPSULATION_AUDIOSOCKET, ENCAPSULATION_NONE, ENCAPSULATION_RTP, ENCODING_ALAW,
                      ENCODING_L16, ENCODING_MULAW, LAYOUT_INBOUND, LAYOUT_INTERLEAVED, LAYOUT_MIXED, LAYOUT_OUTBOUND,
                      MARK_WORDS, PART_CHUNK, PART_PAYLOAD, PART_SEQUENCE, PART_TIMESTAMP, RESAMPLER, RESAMPLER_WORK,
                      RING, TLS)
from .rings import ENTRY_BYTES, PAGE_BYTES, page_count
from .wire.jitter_buffer import HEARD, HELD_BYTES, MAX_PACKET, WINDOW

ENCODINGS = {Encoding.L16: ENCODING_L16, Encoding.MULAW: ENCODING_MULAW, Encoding.ALAW: ENCODING_ALAW}
LAYOUTS = {"inbound": LAYOUT_INBOUND, "outbound": LAYOUT_OUTBOUND, "both": LAYOUT_INTERLEAVED,
           "stereo": LAYOUT_INTERLEAVED, "mixed": LAYOUT_MIXED}
RUNNING_PARTS = {Running.PAYLOAD: PART_PAYLOAD, Running.SEQUENCE: PART_SEQUENCE, Running.CHUNK: PART_CHUNK,
                 Running.TIMESTAMP: PART_TIMESTAMP}
ENCAPSULATIONS = {"": ENCAPSULATION_NONE, "sln": ENCAPSULATION_NONE, "rtp": ENCAPSULATION_RTP,
                  "audiosocket": ENCAPSULATION_AUDIOSOCKET}
_CONVERTED_BYTES = 65536
STAGE_SECONDS = 1
MARKS = 1024
OUTBOX_BYTES = 1 << 20
INBOX_BYTES = 1 << 19
_BATCH_BYTES = 1 << 17
_PLAY_RATE = 64000  # the highest that can be queued, but for AudioSocket
_PLAY_SLACK = 1 << 19  # samples that a patient stream's queue holds beyond what it may
GAPS = 256


@dataclass(frozen=True)
class PathFormat:
    """What one stream captures and how it travels."""

    tracks: str
    """One of LAYOUTS."""
    rate: int
    """Hz on the wire."""
    encoding: Encoding
    chunk_ms: int
    buffer_secs: int
    playback_secs: int
    binary_playback: bool
    """True when binary messages from the server are L16 to be played (not on a connection with deflate)."""
    binary_rate: int = 0
    """Hz of that audio; 0 = `rate`."""
    playback_levels_ms: tuple[int, int] = (0, 0)
    """At how many ms in the playback queue ATTEND_PLAYBACK_LEVEL is set, and below how many then again; 0: never."""
    catch_up_ms: int = 0
    """More than so many ms that wait to be played for no reason are caught up with in quiet parts; 0: they stay."""
    inband_dtmf: bool = False
    """True to listen for the tones of digits in what the caller says; they come by `Core.digits`."""
    encapsulation: str = ""
    """One of ENCAPSULATIONS: what is in binary messages. With one, the peer is slowed down where it sends faster than
    the caller hears; without, what the playback queue does not take is dropped."""
    rtp_identity: tuple[int, int, int] = (0, 0, 0)
    """Our SSRC (32 bits), and the first sequence number (16) and timestamp (32); best when nobody can guess them."""
    keeps_unacknowledged: bool = False
    """Whether captured audio stays in the ring until the server has acknowledged it. Without an encapsulation only."""
    silent_pause: bool = False
    """Whether a paused stream captures silence, rather than nothing."""

    @property
    def channels(self) -> int:
        """Channels in the capture ring."""
        return 2 if LAYOUTS[self.tracks] == LAYOUT_INTERLEAVED else 1

    @property
    def chunk(self) -> int:
        """Samples of one channel in a media message."""
        return self.rate * self.chunk_ms // 1000

    @property
    def rings(self) -> dict[str, int]:
        """Bytes that each of the stream's queues holds, by the name of its field."""
        return {"capture_ring": 2 * self.channels * self.rate * self.buffer_secs,
                "stage_ring": 2 * self.rate * STAGE_SECONDS, "play_ring": 2 * self.play_capacity,
                "outbox": OUTBOX_BYTES, "inbox": INBOX_BYTES}

    @property
    def play_capacity(self) -> int:
        """Samples that the playback queue has memory for."""
        rate = max(RATES) if self.encapsulation == "audiosocket" else _PLAY_RATE
        return rate * self.playback_secs + (_PLAY_SLACK if self.encapsulation else 0)

    def sizes(self, templates: Sequence[tuple[bytes | Running, ...]]) -> dict[str, int]:
        """Bytes of every part of the stream's memory, for media messages of these parts."""
        chunk_bytes = 2 * self.channels * self.chunk
        parts = [part for template in templates for part in template]
        literals = sum(len(part) for part in parts if isinstance(part, bytes))
        pages = {name: page_count(capacity) for name, capacity in self.rings.items()}
        return {
            "rings": len(pages) * RING.itemsize,
            **{f"{name}_pages": count * PAGE_BYTES for name, count in pages.items()},
            **{f"{name}_{table}": ENTRY_BYTES * count for name, count in pages.items() for table in ("table", "spare")},
            "resamplers": 3 * RESAMPLER.itemsize,
            "read_work": 4 * RESAMPLER_WORK,
            "write_work": 4 * RESAMPLER_WORK,
            "play_work": 4 * RESAMPLER_WORK,
            "read_frame": FRAME_BYTES + IMPLEMENTATION_BYTES,
            "read_data": FRAME_DATA_BYTES + _CONVERTED_BYTES,
            "write_frame": FRAME_BYTES + IMPLEMENTATION_BYTES,
            "write_data": FRAME_DATA_BYTES + _CONVERTED_BYTES,
            "mix_data": 2 * _CONVERTED_BYTES,
            "parts": 8 * max(1, len(parts)),
            "literals": max(1, literals),
            "out": max(OUTBOX_BYTES, _BATCH_BYTES + 2 * chunk_bytes + literals) + 64,
            "marks": 8 * MARK_WORDS * MARKS,
            "play_scratch": RENDER_OFFSET + _CONVERTED_BYTES,
            "clock_frame": FRAME_DATA_OFFSET + FRAME_DATA_BYTES,
            "dtmf": DTMF.itemsize,
            "tls": TLS.itemsize,
            "dtmf_work": 8 * DTMF_WORK,
            "packet": MAX_PACKET,
            "decoded": 2 * MAX_PACKET,
            "held": WINDOW * HELD_BYTES,
            "heard": 8 * HEARD,
            "gaps": 16 * GAPS,
        }


CONNECTION_ONLY = PathFormat("inbound", 8000, Encoding.L16, chunk_ms=20, buffer_secs=1, playback_secs=1,
                             binary_playback=False)
"""Of a connection on which no audio is sent, and whose messages Python takes."""
