"""A stream as the tests hold it: its media path on a fake leg, and the part of its dispatcher."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from typing import Any, Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from freeswitch_audio_stream.audio import Encoding
from freeswitch_audio_stream.protocols.messages import MediaTemplate, Running
from freeswitch_audio_stream.realtime.core import Core
from freeswitch_audio_stream.realtime.path_format import PathFormat
from freeswitch_audio_stream.realtime.records import ATTEND_CLOCK_OFF, ATTEND_SOCKET_DETACHED

from .fake_leg import FakeFreeSwitch, FakeLeg

PATIENCE = 20.0
"""Seconds after which a condition that did not come is a failure; nothing is measured by it."""
FORM = PathFormat(tracks="inbound", rate=8000, encoding=Encoding.L16, chunk_ms=20, buffer_secs=2, playback_secs=10,
                  binary_playback=False)


def template(*parts: bytes | Running) -> MediaTemplate:
    """A media message of these parts; the encoding is said in the stream's form."""
    return MediaTemplate(parts, Encoding.L16)


def numbered(head: bytes, tail: bytes) -> MediaTemplate:
    """A media message with its sequence number."""
    return template(head + b'"sequence":', Running.SEQUENCE, b',"payload":"', Running.PAYLOAD, b'"' + tail)


_SINGLE = [numbered(b'{"event":"media",', b"}")]
TEMPLATES = {
    "inbound": _SINGLE,
    "outbound": _SINGLE,
    "mixed": _SINGLE,
    "both": [numbered(b'{"track":"inbound",', b"}"), numbered(b'{"track":"outbound",', b',"more":true}')],
}


class OpenStream:
    """An open media path. Only the thread of the test; it does what the dispatcher does."""

    def __init__(self, core: Core, switch: FakeFreeSwitch, leg: FakeLeg | None = None,
                 templates: Sequence[MediaTemplate] | None = None, base64: bool = True, **form: Any) -> None:
        """On a leg of its own, unless `leg` is given; `form` is what differs from FORM. With `base64` False the media
        messages are binary ones.
        """
        self.form = replace(FORM, **form)
        self.leg = leg or switch.leg()
        templates = templates or (TEMPLATES[self.form.tracks] if base64 else [template()])
        self.path, self.worker = core.open_path(self.form, templates)
        self.leg.users.append(self.path.address)
        self.path.set_session(self.leg.session, self.leg.channel)
        self._core = core
        self._bits = 0
        self._clocked = False
        self._attached = False

    @property
    def field(self) -> Any:
        """The stream's record."""
        return self.path._field

    # What the dispatcher is told.

    def attention(self) -> int:
        """The bits set since the last call."""
        self._collect()
        bits, self._bits = self._bits, 0
        return bits

    def wait_for(self, bit: int) -> None:
        """Wait until the core asks for attention by `bit`; the other bits stay."""
        self.wait_until(lambda: bool(self._collect() & bit))
        self._bits &= ~bit

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds, looking again whenever the core asks for attention, or soon."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not come"
            self.worker.dispatch_queue.wait(0.002)

    def _collect(self) -> int:
        for _ in self.worker.dispatch_queue.take():
            pass
        self._bits |= self.path.take_attention()
        return self._bits

    # The call.

    def attach_playback(self) -> None:
        """The playback bug is there; the write clock looks after the leg."""
        self._clocked = True
        self.path.enable_playback(0)

    def captured(self) -> NDArray[np.int16]:
        """What is in the capture ring, as int16[sample times, channels]; it stays there."""
        field = self.field
        width = 2 * self.form.channels
        first, last = (width * int(field[name]) for name in ("capture_read", "capture_write"))
        data = self.path._read_ring("capture_ring", first, last - first)
        return np.frombuffer(data, np.int16).reshape(-1, self.form.channels)

    def take_captured(self) -> NDArray[np.int16]:
        """`captured`, and out of the ring, as if it had been sent."""
        taken = self.captured()
        self.field["capture_read"] = self.field["capture_write"]
        return taken

    # The server.

    def connect(self, send_buffer: int | None = None, leftover: bytes = b"",
                deflate: bool = False, role: str = "client", request_head: bytes = b"") -> socket.socket:
        """Attach one end of a socket pair, as that of `role`; answers the peer's end, with a timeout."""
        self.ours, self.server = socket.socketpair()
        if send_buffer is not None:
            self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self._hand_over(leftover, deflate, role, request_head)
        return self.server

    def connect_by_tcp(self) -> socket.socket:
        """`connect`, over the loopback interface."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.ours = socket.create_connection(listener.getsockname())
            self.server = listener.accept()[0]
        self._hand_over(b"")
        return self.server

    def _hand_over(self, leftover: bytes, deflate: bool = False, role: str = "client",
                   request_head: bytes = b"") -> None:
        self.ours.setblocking(False)
        self.server.settimeout(PATIENCE)
        self._attached = True
        self.path.attach_socket(self.ours.fileno(), leftover, deflate, role=role, request_head=request_head)

    def disconnect(self) -> None:
        """Take the socket back, and close it."""
        if self._attached:
            self._attached = False
            self.path.detach_socket()
            self.wait_for(ATTEND_SOCKET_DETACHED)
            self.ours.close()
            self.server.close()

    def close(self) -> None:
        """Let go of everything, as the engine does."""
        self.disconnect()
        if self._clocked:
            self.path.stop_clock()
            self.wait_for(ATTEND_CLOCK_OFF)
        self._core.close_path(self.path)
