"""The floor: a bare loop of send(2) of a stream's bytes to the same receiver, in a process of its own.

    python -m freeswitch_audio_stream.benchmarks.measures.floor PORT STREAMS BYTES SECONDS

Every 20 ms one frame goes to each connection, all in one go: no module can send them for less. It prints the
seconds of CPU and the frames sent.
"""

from __future__ import annotations

import base64
import os
import socket
import struct
import sys
import time
from typing import Any, NamedTuple

import numpy as np
from numba import types

from ...native.atomics import int32_at, int64_at, pointer
from ...native.libc import send, two_words
from ..child import Child
from ..clock import monotonic_ns
from ..compiler import fresh_native
from ..work import FRAME_MS

_clock_nanosleep: Any = types.ExternalFunction(
    "clock_nanosleep", types.int32(types.int32, types.int32, types.voidptr, types.voidptr))
_MONOTONIC, _ABSOLUTE = 1, 1


class Floor(NamedTuple):
    """CPU seconds and frames."""

    user: float
    system: float
    frames: int


@fresh_native("int64(int64, int64, int64, int64, int64)")
def send_frames(sockets: int, count: int, frame: int, size: int, ticks: int) -> int:
    """Send a frame to each of `count` sockets (int32), `ticks` times, 20 ms apart; return how many were sent whole."""
    fds, sent = int32_at(sockets, count), 0
    due = monotonic_ns()
    time = two_words()
    for _ in range(ticks):
        due += FRAME_MS * 1_000_000
        parts = int64_at(time, 2)
        parts[0], parts[1] = due // 1_000_000_000, due % 1_000_000_000
        _clock_nanosleep(np.int32(_MONOTONIC), np.int32(_ABSOLUTE), pointer(time), pointer(0))
        for index in range(count):
            if send(fds[index], pointer(frame), np.uint64(size), np.int32(0)) == size:
                sent += 1
    return sent


def masked_frame(size: int) -> bytes:
    """A client's binary message of `size` bytes on the wire, noise in it."""
    payload = size - (8 if size - 6 >= 126 else 6)
    head = struct.pack("!BBH", 0x82, 0x80 | 126, payload) if payload >= 126 else bytes((0x82, 0x80 | payload))
    return head + os.urandom(4 + payload)


def _connect(port: int, number: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(f"GET /{number} HTTP/1.1\r\nHost: floor\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    if not connection.recv(4096).startswith(b"HTTP/1.1 101"):
        raise ConnectionError("the receiver does not accept the floor's connection")
    return connection


def measure(port: int, streams: int, size: int, seconds: float) -> Floor:
    """Run the loop in a process of its own."""
    with Child(__name__, port, streams, size, seconds) as child:
        user, system, frames = child.answer().split()
    return Floor(float(user), float(system), int(frames))


def main() -> None:
    """See the module's text."""
    port, streams, size, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    connections = [_connect(port, number) for number in range(streams)]
    fds = np.array([connection.fileno() for connection in connections], np.int32)
    frame = np.frombuffer(masked_frame(size), np.uint8)
    before = os.times()
    exact = time.process_time()
    sent = send_frames(int(fds.ctypes.data), streams, int(frame.ctypes.data), size, int(seconds * 1000 / FRAME_MS))
    exact, after = time.process_time() - exact, os.times()
    user, system = after.user - before.user, after.system - before.system
    share = user / (user + system) if user + system else 0.0
    print(exact * share, exact * (1 - share), sent)


if __name__ == "__main__":
    main()
