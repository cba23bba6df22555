"""The C side of a call, as small as the core can live with: legs, media bugs and the functions behind them.

The functions are ctypes callbacks at addresses of their own, which is all that the core knows of FreeSWITCH.
What a leg does follows FreeSWITCH: a bug hands out one packet per read, a written frame is offered to the
playback callback, and a leg that speaks L16 itself leaves its own codec in our frame.
"""

from __future__ import annotations

import ctypes
from collections import deque
from ctypes import CFUNCTYPE, POINTER, c_int, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeswitch_audio_stream.realtime.core import CAPTURE_READ, CAPTURE_WRITE, PLAYBACK_REPLACE
from freeswitch_audio_stream.realtime.media.capture import ABC_CLOSE, ABC_READ, ABC_WRITE, ABC_WRITE_REPLACE
from freeswitch_audio_stream.switch.layouts import BugCallback, CodecImplementation, Frame

Samples = NDArray[np.int16]
SUCCESS, FALSE = 0, 1
CS_EXECUTE, CS_HANGUP = 4, 10


@dataclass(frozen=True)
class Packet:
    """What one read of a media bug yields; `samples` are interleaved."""

    samples: Samples
    rate: int
    channels: int


class FakeLeg:
    """One leg with its three bugs. `read`, `write` and `play` are FreeSWITCH's media threads at work."""

    def __init__(self, session: int) -> None:
        self.session = session
        self.channel, self.read_bug, self.write_bug, self.replace_bug = (session + n for n in (1, 2, 3, 4))
        self.users: list[int] = []
        """What the bugs were given: the addresses of the streams, in the order of their bugs."""
        self.packets: dict[int, deque[Packet]] = {self.read_bug: deque(), self.write_bug: deque()}
        self.replaceable: c_void_p | None = None
        self.replaced = 0
        """Frames that the playback callback said it had changed."""
        self.heard: list[Samples] = []
        """Frames that reached the caller."""
        self.frames: list[Frame] = []
        """What write_frame was given."""
        self.speaks_l16 = False
        self.state, self.ready = CS_EXECUTE, True
        self.implementation = CodecImplementation()
        self.set_write_codec(8000, 20)

    def set_write_codec(self, rate: int, ptime_ms: int, channels: int = 1) -> int:
        """The codec by which the caller hears from now on; answers the id of its implementation."""
        form = self.implementation
        form.samples_per_second = form.actual_samples_per_second = rate
        form.microseconds_per_packet = 1000 * ptime_ms
        form.samples_per_packet = rate * ptime_ms // 1000
        form.decoded_bytes_per_packet = 2 * channels * form.samples_per_packet
        form.number_of_channels = channels
        form.impl_id += 1
        return int(form.impl_id)

    @property
    def frame_samples(self) -> int:
        """Samples of one channel in a frame of the write codec."""
        return int(self.implementation.samples_per_packet)

    def read(self, samples: Samples, rate: int, channels: int = 1) -> None:
        """The session reads one frame from the caller."""
        self.packets[self.read_bug].append(Packet(samples, rate, channels))
        _callbacks[CAPTURE_READ](self.read_bug, self.users[0], ABC_READ)

    def write(self, samples: Samples) -> None:
        """The session writes one frame to the caller; this leg's playback is not asked."""
        form = self.implementation
        self.packets[self.write_bug].append(
            Packet(samples, form.actual_samples_per_second, form.number_of_channels))
        _callbacks[CAPTURE_WRITE](self.write_bug, self.users[0], ABC_WRITE)

    def play(self, samples: Samples) -> Samples:
        """Write one frame with the playback bug in the way; answers what is left of it for the caller."""
        data = np.array(samples, np.int16)
        self.offer(Frame(data=data.ctypes.data, datalen=data.nbytes,
                         rate=self.implementation.actual_samples_per_second,
                         channels=self.implementation.number_of_channels))
        self.heard.append(data)
        return data

    def play_silence(self, frames: int = 1) -> Samples:
        """Write frames of silence; answers what the caller hears, interleaved."""
        size = self.frame_samples * self.implementation.number_of_channels
        return np.concatenate([self.play(np.zeros(size, np.int16)) for _ in range(frames)])

    def offer(self, frame: Frame) -> None:
        """Have the playback callback look at a frame."""
        self.replaceable = c_void_p(ctypes.addressof(frame))
        for user in self.users:
            assert _callbacks[PLAYBACK_REPLACE](self.replace_bug, user, ABC_WRITE_REPLACE) == 1
        self.replaceable = None

    def close_bugs(self) -> None:
        """The call is over."""
        for callback, bug in ((CAPTURE_READ, self.read_bug), (CAPTURE_WRITE, self.write_bug),
                              (PLAYBACK_REPLACE, self.replace_bug)):
            assert _callbacks[callback](bug, self.users[0], ABC_CLOSE) == 1

    def take_frame(self, frame: Frame) -> None:
        """What switch_core_session_write_frame does with a frame of ours."""
        self.frames.append(Frame.from_buffer_copy(frame))
        silence = ctypes.string_at(frame.data, frame.datalen)
        assert not any(silence)
        self.offer(frame)
        self.heard.append(np.frombuffer(ctypes.string_at(frame.data, frame.datalen), np.int16))
        if self.speaks_l16:
            frame.codec = self.session  # any other address than that of our codec


_callbacks = {address: BugCallback(address) for address in (CAPTURE_READ, CAPTURE_WRITE, PLAYBACK_REPLACE)}


class FakeFreeSwitch:
    """The C functions, and the legs that they find by address."""

    def __init__(self) -> None:
        self.legs: dict[int, FakeLeg] = {}
        self.unlocked: list[int] = []
        """Mutexes that were unlocked."""
        self.faults: list[str] = []
        """What the core did that FreeSWITCH would not forgive."""
        self._next = 0x10000
        self._kept = {
            "switch_core_media_bug_read": CFUNCTYPE(c_int64, c_int64, POINTER(Frame), c_int64)(self._read),
            "switch_core_media_bug_get_write_replace_frame": CFUNCTYPE(c_int64, c_int64)(self._get_frame),
            "switch_core_media_bug_set_write_replace_frame": CFUNCTYPE(
                c_int64, c_int64, c_int64)(self._set_frame),
            "switch_core_session_get_read_impl": CFUNCTYPE(c_int64, c_int64, c_int64)(self._get_impl),
            "switch_core_session_get_write_impl": CFUNCTYPE(c_int64, c_int64, c_int64)(self._get_impl),
            "switch_core_session_write_frame": CFUNCTYPE(
                c_int64, c_int64, POINTER(Frame), c_int64, c_int64)(self._write_frame),
            "switch_channel_get_state": CFUNCTYPE(c_int64, c_int64)(self._get_state),
            "switch_channel_test_ready": CFUNCTYPE(c_int64, c_int64, c_int, c_int)(self._test_ready),
            "switch_mutex_unlock": CFUNCTYPE(c_int64, c_int64)(self._unlock),
        }
        self.addresses: dict[str, int] = {
            name: int(ctypes.cast(function, c_void_p).value or 0) for name, function in self._kept.items()}

    def leg(self) -> FakeLeg:
        """A new leg: PCMU's 8 kHz and 20 ms until it is told otherwise."""
        leg = FakeLeg(self._next)
        self._next += 16
        self.legs[leg.session] = leg
        return leg

    def _find(self, address: int) -> FakeLeg:
        return self.legs[address & ~15]

    def _read(self, bug: int, frame: Any, fill: int) -> int:
        packets = self._find(bug).packets[bug]
        if fill != 1:
            self.faults.append("asked for 0xFF where there is no audio")
        if not packets:
            return FALSE
        packet = packets.popleft()
        into = frame.contents
        data = packet.samples.astype("<i2").tobytes()
        if into.buflen < len(data):
            self.faults.append("a buffer shorter than a packet")
        ctypes.memmove(into.data, data, len(data))
        into.datalen, into.rate, into.channels = len(data), packet.rate, packet.channels
        into.samples = len(packet.samples) // packet.channels
        return SUCCESS

    def _get_frame(self, bug: int) -> int:
        frame = self._find(bug).replaceable
        return 0 if frame is None else int(frame.value or 0)

    def _set_frame(self, bug: int, frame: int) -> int:
        leg = self._find(bug)
        leg.replaced += 1
        if leg.replaceable is None or leg.replaceable.value != frame:
            self.faults.append("replaced a frame by another than itself")
        return 0

    def _get_impl(self, session: int, target: int) -> int:
        form = self._find(session).implementation
        ctypes.memmove(target, ctypes.addressof(form), ctypes.sizeof(form))
        return SUCCESS

    def _write_frame(self, session: int, frame: Any, flags: int, stream_id: int) -> int:
        if flags or stream_id or not frame.contents.codec:
            self.faults.append("a frame that FreeSWITCH hangs up for")
        self._find(session).take_frame(frame.contents)
        return SUCCESS

    def _get_state(self, channel: int) -> int:
        return self._find(channel).state

    def _test_ready(self, channel: int, check_ready: int, check_media: int) -> int:
        return int(self._find(channel).ready)

    def _unlock(self, mutex: int) -> int:
        self.unlocked.append(mutex)
        return SUCCESS
