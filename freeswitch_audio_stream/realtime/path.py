"""`MediaPath`: Python's interface to the compiled state of one stream.

Any Python thread may call the methods unless they say otherwise; those that write to the outbox share a lock that is
held briefly. None waits for a media thread or for the network.
"""

from __future__ import annotations

import struct
import threading
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

import numpy as np
from numpy.typing import NDArray

from ..audio import Encoding
from ..native.memory import Arena
from ..protocols.messages import MediaTemplate
from . import rings, wakeup
from .alike_audio import AlikeAudio
from .counters import Packets, Statistics
from .media import capture, playback
from .path_format import ENCODINGS, MARKS, OUTBOX_BYTES, PathFormat
from .path_setup import set_up
from .records import (FLOW_DRAIN, FLOW_HELD, FLOW_OPEN, FRAMING_AUDIOSOCKET, FRAMING_CLIENT, FRAMING_HTTP,
                      FRAMING_SERVER, MARK_NAMED, MARK_PLAYED, MARK_WORDS, PAUSED_GAP, PAUSED_NOT, PAUSED_SILENCE,
                      PEER_FRAMES, SOCKET_ATTACH, SOCKET_DETACH, TLS)
from .wire.delivery import INBOX_HEADER, PIECE_COMPRESSED, PIECE_ENDS_MESSAGE
from .wire.outgoing import OPCODE_BINARY

_RECORD = struct.Struct("<4i")  # before each message of the outbox, and each piece of the inbox
NEVER = 1 << 62
"""A position that no stream comes to."""
FRAMINGS = {"client": FRAMING_CLIENT, "server": FRAMING_SERVER, "audiosocket": FRAMING_AUDIOSOCKET,
            "http": FRAMING_HTTP}


class Piece(NamedTuple):
    """A part of a message from the server."""

    opcode: int
    data: bytes
    is_last: bool
    is_compressed: bool
    """True for every part of a message that is compressed (RFC 7692); never for control frames."""
    play_position: int = 0
    """Where the playback queue ended when the piece came: samples queued since the stream began. Binary audio that came
    later on the connection is behind it, whenever the message is read."""


class SettledMark(NamedTuple):
    """A mark of the playback queue that the caller has come to, or that was cleared."""

    number: int
    was_played: bool
    """Whether the caller has heard all samples before it; else they were cleared."""
    heard: int
    """Up to which sample, counted from the first that was ever queued, the queue had been heard or cleared earlier when
    this mark settled: for a cleared mark, where the caller was interrupted."""


class MediaPath:
    """The compiled state of one stream; made by `core.Core.open_path`."""

    def __init__(self, record: NDArray[Any], form: PathFormat, templates: Sequence[MediaTemplate]) -> None:
        """`record` is STREAM[1], zeroed but for what `Core` fills in; `templates` are those of the media messages,
        one per track, all of them texts or none. A new media path may already be given to a bug.
        """
        self._record = record
        self._field = record[0]
        self.address = int(record.ctypes.data)
        self.format = form
        self.alike = AlikeAudio(record)
        self._arena = Arena(form.sizes([template.parts for template in templates]))
        self._lock = threading.Lock()
        self._released = False
        self._last_statistics: Statistics | None = None
        self._last_packets: Packets | None = None
        set_up(self._field, self._arena, form, templates)

    # Attention: why the dispatcher was woken.

    def take_attention(self) -> int:
        """Return the ATTEND_ bits set since the last call, and clear them. Only the stream's dispatcher."""
        return wakeup.take_attention(self.address)

    @property
    def attention(self) -> int:
        """The ATTEND_ bits that are set now. Any thread."""
        return int(self._field["attention"])

    def wake_dispatcher(self, bits: int) -> None:
        """Set ATTEND_ bits and wake the stream's dispatcher. Any thread."""
        wakeup.attend(self.address, bits)

    # The socket.

    def attach_socket(self, fd: int, leftover: bytes = b"", deflate: bool = False,
                      tls: Mapping[str, int] | None = None, role: str = "client", counts_anew: bool = False,
                      request_head: bytes = b"") -> None:
        """Give a connected, non-blocking socket to the I/O loop, with the bytes already received from it.

        With `deflate` messages may come compressed, and all of them come by `take_inbox`, binary ones too;
        without it a compressed one is a breach of the protocol. `tls` has a value for each name of layout.TLS where
        the bytes go through an OpenSSL session, which nobody else may touch meanwhile. The descriptor stays open until
        ATTEND_SOCKET_BROKEN, or ATTEND_SOCKET_DETACHED after `detach_socket`.

        `role`, one of FRAMINGS, is our end of the WebSocket: a client masks its frames, and a server takes only
        frames that are masked (RFC 6455 section 5.1). "audiosocket" is no WebSocket, but a connection of bare
        AudioSocket frames: `send` then takes their kinds for opcodes, and `take_inbox` gives all that is not audio to
        be played, with audiosocket.FRAME_OPCODE added to the kind.

        "http" is a connection of requests and answers: `send` takes whole requests, with `outgoing.OPCODE_BINARY`, and
        `take_inbox` gives answers (see `wire.http_incoming`). `request_head` begins each request that posts audio; what
        the core adds to it is the length of the body and the empty line.

        With `counts_anew` sequence numbers, chunks and timestamps of media messages begin anew.
        """
        if counts_anew:
            self._count_anew()
        self._field["socket_fd"], self._field["deflate"] = fd, int(deflate)
        self._field["framing"], self._field["discards"] = FRAMINGS[role], 0
        self._field["resumed"] = 0
        self._set_tls(tls)
        self._request_head = np.frombuffer(request_head, np.uint8).copy()
        self._field["request_head"] = self._request_head.ctypes.data
        self._field["request_head_bytes"] = len(request_head)
        self._leftover = np.frombuffer(leftover, np.uint8).copy()  # frames are unmasked in place
        self._field["leftover"], self._field["leftover_bytes"] = self._leftover.ctypes.data, len(leftover)
        self._request(SOCKET_ATTACH)

    def _count_anew(self) -> None:
        field = self._field  # no socket is attached: the I/O loop, whose counters these are, does not look at them
        field["sequence"], field["chunks_0"], field["chunks_1"] = 0, 0, 0
        field["uncaptured"] = -field["capture_read"]

    def _set_tls(self, tls: Mapping[str, int] | None) -> None:
        record = self._arena.part("tls").view(TLS)
        for name in TLS.names or ():
            record[0][name] = tls[name] if tls else 0
        self._field["tls"] = self._arena.address("tls") if tls else 0

    def detach_socket(self) -> None:
        """Ask the I/O loop to give the socket back; it sets ATTEND_SOCKET_DETACHED when it has. Does not wait."""
        self._request(SOCKET_DETACH)

    def _request(self, request: int) -> None:
        wakeup.request_socket(self.address, request)

    @property
    def index(self) -> int:
        """The stream's place in the core, by which its dispatcher is told of it."""
        return int(self._field["index"])

    @property
    def socket_error(self) -> int:
        """The errno that broke the connection; 0 where the server closed it."""
        return int(self._field["socket_error"])

    @property
    def protocol_error(self) -> int:
        """The close code that answers a server which broke the framing rules; 0 while it has not."""
        return int(self._field["protocol_error"])

    @property
    def is_held_back(self) -> bool:
        """Whether nothing is read from the peer now, because what it has sent before has to be taken first."""
        return bool(self._field["waiting_inbox"])

    @property
    def peer_sends_frames(self) -> bool:
        """Whether the binary messages of this connection have turned out to hold AudioSocket frames."""
        return bool(self._field["peer_kind"] == PEER_FRAMES)

    def discard_audio(self) -> None:
        """Discard the peer's audio, and let it no longer delay reading, until the next connection."""
        self.ignore_audio(True)

    def ignore_audio(self, ignored: bool) -> None:
        """Discard audio of the peer's that comes from now on, or no longer do so."""
        self._field["discards"] = int(ignored)
        wakeup.to_io(self.address)

    # HTTP.

    def number_requests(self) -> None:
        """Have posts be made by the second template from now on, which gives each its number. Any thread."""
        self._field["numbers_requests"] = 1

    @property
    def owes_answer(self) -> bool:
        """Whether the server has yet to answer a request."""
        return bool(self._field["awaits"])

    @property
    def answers(self) -> int:
        """How many answers have come on the present connection."""
        return int(self._field["answers"])

    @property
    def accepted(self) -> int:
        """How many posts the server has taken, or refused for good, since the stream began."""
        return int(self._field["accepted"])

    # To the server.

    def send(self, opcode: int, head: bytes, tail: bytes | None = None) -> bool:
        """Queue a message; with a `tail`, the stream's next sequence number goes between the two.

        `opcode` is a WebSocket's, with `outgoing.COMPRESSED` added where `head`, then all of the payload, is.
        False where it does not fit, because the server has not been reading. Messages leave in the order of
        calls, all of them before media.
        """
        message = _RECORD.pack(opcode, len(head), -1 if tail is None else len(tail), 0) + head + (tail or b"")
        with self._lock:
            if self._released:
                return False
            position, taken = int(self._field["outbox_write"]), int(self._field["outbox_read"])
            if len(message) > OUTBOX_BYTES - (position - taken):
                return False
            rings.write_ring(int(self._field["outbox"]), position, np.frombuffer(message, np.uint8).ctypes.data,
                             len(message), taken)
            wakeup.publish_outbox(self.address, position + len(message))
        return True

    @property
    def unsent(self) -> int:
        """Bytes of messages that the I/O loop has not framed yet."""
        return int(self._field["outbox_write"] - self._field["outbox_read"])

    @property
    def has_sent_all(self) -> bool:
        """Whether the socket has taken every message queued so far. Audio does not count while it is held back."""
        field = self._field
        return int(field["outbox_write"]) == int(field["outbox_read"]) and int(field["out_length"]) == 0

    def discard_outbox(self) -> None:
        """Discard messages that were not sent. Only while no socket is attached."""
        with self._lock:
            self._field["outbox_read"] = self._field["outbox_write"]

    def hold_media(self) -> None:
        """Keep captured audio in the ring: send none."""
        self._field["flow"] = FLOW_HELD

    def open_media(self) -> None:
        """Send captured audio, after the messages queued so far."""
        self._field["flow"] = FLOW_OPEN
        wakeup.to_io(self.address)

    def drain_media(self) -> None:
        """Send what is in the ring, the last incomplete chunk included; ATTEND_DRAINED is set when that is done."""
        self._field["flow"] = FLOW_DRAIN
        wakeup.to_io(self.address)

    def skip_media(self, position: int | None) -> None:
        """Discard audio instead of sending it: what is captured before a `media_position`; or, for None, all from now
        on. A message sent after that is not followed by audio; one sent before audio is let through again comes before
        that audio.
        """
        self._field["skip_to"] = NEVER if position is None else position
        wakeup.to_io(self.address)

    @property
    def media_position(self) -> int:
        """How many sample times of the call's audio have been sent or discarded since the stream began. Any thread."""
        return int(self._field["capture_read"])

    def set_encoding(self, encoding: Encoding) -> None:
        """Have audio travel in this encoding in binary messages, both ways. Only while media is held, and before the
        peer knows that it may send any.
        """
        self._field["encoding"] = self._field["binary_encoding"] = ENCODINGS[encoding]

    def pause(self, paused: bool) -> None:
        """Discard captured audio from the next frame on, or put silence in its place; or end that. Any thread, even
        after `release`.
        """
        with self._lock:
            if not self._released:  # else the record may be another stream's by now
                how = PAUSED_SILENCE if self.format.silent_pause else PAUSED_GAP
                self._field["paused"] = how if paused else PAUSED_NOT

    @property
    def paused(self) -> bool:
        """Whether `pause` holds."""
        return bool(self._field["paused"])

    # From the server.

    @property
    def inbox_end(self) -> int:
        """How far what the server has sent reaches now, for `take_inbox`. Any thread."""
        return wakeup.inbox_written(self.address)

    @property
    def inbox_end_at_close(self) -> int:
        """What `inbox_end` was when the latest bug was closed; 0 where none was."""
        return int(self._field["inbox_at_close"])

    def take_inbox(self, end: int | None = None) -> Iterator[Piece]:
        """What the server has sent and nobody has taken yet, up to an earlier `inbox_end` where one is given. Only the
        stream's dispatcher.
        """
        position = int(self._field["inbox_read"])
        written = self.inbox_end if end is None else max(end, position)
        pieces = self._read_ring("inbox", position, written - position)
        begin = 0
        while begin < len(pieces):
            opcode, flags, count, queued = _RECORD.unpack_from(pieces, begin)
            end = begin + INBOX_HEADER + count
            wakeup.release_inbox(self.address, position + end)
            yield Piece(opcode, pieces[begin + INBOX_HEADER:end], bool(flags & PIECE_ENDS_MESSAGE),
                        bool(flags & PIECE_COMPRESSED), self._play_position(queued))
            begin = end

    def settle_inbox(self) -> None:
        """All that has been taken has been obeyed: from now on audio may pass the inbox by (see `AlikeAudio`). Only the
        dispatcher.
        """
        wakeup.settle_inbox(self.address)

    def _play_position(self, lower_bits: int) -> int:
        """The latest end of the playback queue with these lower 32 bits."""
        now = int(self._field["play_write"])
        return now - ((now - lower_bits) & 0xFFFFFFFF)

    def _read_ring(self, name: str, position: int, count: int) -> bytes:
        data = np.empty(count, np.uint8)
        rings.read_ring(data.ctypes.data, int(self._field[name]), position, count)
        return data.tobytes()

    # Captured audio that Python converts on its way (see `Core.open_source`).

    def resume(self, acknowledged: int, base: int) -> None:
        """Send captured audio from the byte on that the server does not have: it has `acknowledged` bytes, and had
        `base` (any number) where the stream's first sample belongs. What it has leaves the ring; the rest has to be in
        there. Only of a stream that keeps what is not acknowledged, and once on each connection: until then no audio
        is sent on it.
        """
        width = 2 * self.format.channels
        position, rest = divmod(acknowledged - base, width)
        if rest:  # an end of a sample time goes ahead as a message of its own
            self.send(OPCODE_BINARY, self._read_ring("capture_ring", acknowledged - base, width - rest))
        self._field["acknowledged_base"] = base
        wakeup.resume(self.address, position, position + bool(rest))

    def acknowledge(self, position: int) -> None:
        """What was captured before sample time `position` need not be sent again. Only the stream's dispatcher, where
        the server does not say it in a way that the core understands (see `wire.acknowledgements`).
        """
        position = min(position, int(self._field["capture_sent"]))
        if position > self._field["capture_read"]:
            wakeup.release_captured(self.address, position)

    @property
    def kept(self) -> tuple[int, int]:
        """The first sample time that is in the capture ring, and the one behind the last."""
        return int(self._field["capture_read"]), int(self._field["capture_write"])

    def take_capture(self) -> NDArray[np.int16]:
        """Take all samples from the capture ring, as int16[n, channels], native byte order. Only the dispatcher, and
        only of a stream opened by `Core.open_source`.
        """
        written, position = wakeup.take_captured(self.address), int(self._field["capture_read"])
        channels = self.format.channels
        data = self._read_ring("capture_ring", 2 * channels * position, 2 * channels * (written - position))
        wakeup.release_captured(self.address, written)
        return np.frombuffer(data, np.int16).reshape(-1, channels)

    def put_capture(self, samples: NDArray[np.int16]) -> None:
        """Append int16[n, channels] to the capture ring of a stream that no capture bug writes to."""
        data = np.ascontiguousarray(samples, np.int16)
        capture.put_samples(self.address, data.ctypes.data, len(data))

    # Playback.

    def play(self, samples: NDArray[np.int16], rate: int) -> int:
        """Queue mono int16 samples at `rate` (Hz, one of audio.ALL_RATES); return how many fitted."""
        data = np.ascontiguousarray(samples, np.int16)
        return playback.play(self.address, data.ctypes.data, len(data), rate)

    def mark(self, number: int, position: int | None = None) -> bool:
        """Queue a mark after the samples queued so far, or before the queue went beyond a `Piece.play_position`, but
        after earlier marks; `take_marks` returns it once it is settled. False if too many marks are queued.
        """
        return bool(playback.mark(self.address, number, -1 if position is None else position))

    def clear(self, position: int | None = None) -> int:
        """Discard the samples queued now, or before the queue went beyond a `Piece.play_position`, within one frame;
        return how many samples since the stream began that are.
        """
        return playback.clear_playback(self.address, -1 if position is None else position)

    def pause_playback(self, paused: bool) -> None:
        """Pause playback from the next frame on, keeping what is queued; or resume it. Any thread, even after
        `release`.
        """
        with self._lock:
            if not self._released:
                playback.pause_playback(self.address, int(paused))

    @property
    def playback_paused(self) -> bool:
        """Whether `pause_playback` holds."""
        return bool(self._field["play_paused"])

    @property
    def playback_is_high(self) -> bool:
        """Whether the queue has come to the upper of `PathFormat.playback_levels_ms`, and not below the lower since."""
        return bool(self._field["play_highs"] != self._field["play_lows"])

    @property
    def has_been_heard(self) -> bool:
        """Whether the caller has heard all that has been queued so far, and not been kept from any of it."""
        field = self._field
        return int(field["play_write"]) == int(field["play_read"]) and not field["play_active"]

    def take_marks(self) -> list[SettledMark]:
        """Return the marks settled since the last call, in order. Only the stream's dispatcher."""
        table = self._arena.part("marks").view(np.int64).reshape(MARKS, MARK_WORDS)
        first, last = int(self._field["marks_taken"]), wakeup.marks_settled(self.address)
        settled = [SettledMark(int(value), bool(status == MARK_PLAYED), int(heard))
                   for _, kind, value, status, heard in (table[index % MARKS] for index in range(first, last))
                   if kind == MARK_NAMED]
        wakeup.release_marks(self.address, last)
        return settled

    # The write clock and the session.

    def set_session(self, session: int, channel: int) -> None:
        """Set the addresses of the call's session and channel; before any media bug is attached."""
        self._field["session"], self._field["channel"] = session, channel

    def set_write_codec(self, codec: int, implementation: int) -> None:
        """An L16 codec of the write side's shape, for the implementation of that id; 0 while none is."""
        self._field["clock_codec"] = codec
        self._field["clock_impl"] = implementation

    def enable_playback(self, now_us: int) -> None:
        """A playback bug is attached; whoever writes to the leg now has the right of way at first."""
        self._field["has_playback"], self._field["last_foreign_write"] = 1, now_us

    def stop_clock(self) -> None:
        """Ask the write clock to stop using the session; it sets ATTEND_CLOCK_OFF when it has. Does not wait."""
        wakeup.stop_clock(self.address)

    # Looking at it.

    def statistics(self) -> Statistics:
        """The counters as they are now, after `release` as they were then; each by itself exact, not all of one
        instant. Any thread.
        """
        with self._lock:
            return self._last_statistics or self._count()

    def _count(self) -> Statistics:
        field = self._field
        # Readers first: a queue looked at while it moves may seem fuller than it is, but never below empty.
        read, heard = int(field["capture_read"]), int(field["play_read"])
        sent = max(read, int(field["capture_sent"]))
        queued = int(field["play_write"])
        return Statistics(
            int(field["captured_frames"]), int(field["captured"]), int(field["dropped"]), int(field["skipped"]),
            int(field["capture_write"]) - read, sent - read, int(field["messages_sent"]), int(field["bytes_sent"]),
            int(field["messages_received"]), int(field["bytes_received"]), int(field["played"]),
            int(field["cleared"]), int(field["caught_up"]), int(field["play_dropped"]), queued, queued - heard,
            int(field["play_write_rate"]))

    def packets(self) -> Packets:
        """The counters of RTP packets as they are now, after `release` as they were then. Any thread."""
        with self._lock:
            return self._last_packets or self._count_packets()

    def _count_packets(self) -> Packets:
        field = self._field
        return Packets(*(int(field[f"rtp_{name}"]) for name in Packets._fields))

    def release(self) -> None:
        """Free the stream's memory. Only when every media bug is closed, the socket detached and the clock off."""
        with self._lock:
            self._last_statistics, self._last_packets = self._count(), self._count_packets()
            self._released = True
            self._arena.release()
