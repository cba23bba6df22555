"""The receiver's own process: accepts or opens WebSockets in Python and hands them to the compiled loop.

    python -m freeswitch_audio_stream.benchmarks.receiver.receiver_process MEMORY [CERTIFICATE]

MEMORY is a file of SharedMemory, CERTIFICATE a PEM file with its key, for TLS. The process says its two ports in a
line, without and with TLS (0: none), and ends when its standard input does. A line there, ``[slot, port, resource]`` in
JSON, has it connect as a client; it says what is against that in a line, empty for nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
import select
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import orjson

from ...native.libc import EPOLL_EVENT_BYTES
from ...native.memory import Arena
from ...realtime.wire.encoding import BASE64_TABLE
from .loop import run_receiver
from .media_clients import open_websocket
from .records import BUFFER_BYTES, DESCRIPTORS, EVENT_BATCH, SLOTS
from .shared_memory import SharedMemory
from .tls_server import TlsConnection, TlsServer

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_REQUEST = re.compile(rb"GET /(\d+)\S* HTTP/1\.1\r\n")
_HEADER = rb"(?im)^%s:\s*(\S+)"
_MAX_REQUEST = 16384
_PATIENCE = 5.0
_AT_ONCE = 32  # handshakes: some clients allow a second for theirs, and a hundred of them may come at once


class ReceiverConnection(Protocol):
    """A socket, or TLS on one, that blocks."""

    def recv(self, size: int, /) -> bytes:
        """At least one byte; none at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Send."""


class Handshake(Exception):
    """A client that does not ask for a WebSocket at one of our slots."""


def accept_reply(request: bytes) -> tuple[int, bytes]:
    """The slot that a request names, and the answer to it. No extension is accepted, the first subprotocol is."""
    first = _REQUEST.match(request)
    key = re.search(_HEADER % b"Sec-WebSocket-Key", request)
    if first is None or key is None:
        raise Handshake(f"not the opening of a WebSocket: {request[:80]!r}")
    accept = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest())
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade",
             b"Sec-WebSocket-Accept: " + accept]
    subprotocol = re.search(_HEADER % b"Sec-WebSocket-Protocol", request)
    if subprotocol:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol[1].rstrip(b","))
    return int(first[1]), b"\r\n".join(lines) + b"\r\n\r\n"


def _read_request(connection: ReceiverConnection) -> bytes:
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        part = connection.recv(4096)
        request += part
        if not part or len(request) > _MAX_REQUEST:
            raise Handshake("the request ends early or never")
    return request


class ReceiverProcess:
    """Owns the sockets; see the module's text."""

    def __init__(self, memory: SharedMemory, certificate: Path | None = None) -> None:
        self._memory = memory
        self._epoll = select.epoll()
        self._arena = Arena({"buffer": BUFFER_BYTES, "scratch": BUFFER_BYTES, "slot_of_fd": 8 * DESCRIPTORS,
                             "events": EVENT_BATCH * EPOLL_EVENT_BYTES})
        self._slot_of_fd = self._arena.part("slot_of_fd").view("i8")
        control = memory.control
        for name in self._arena.names:
            control[name] = self._arena.address(name)
        control["epoll_fd"], control["base64_table"] = self._epoll.fileno(), BASE64_TABLE.ctypes.data
        for name in ("connections", "reply", "ages", "gaps"):
            control[name] = getattr(memory, name).ctypes.data
        self._tls = TlsServer(certificate) if certificate else None
        self._sessions: dict[int, TlsConnection] = {}  # by slot; the loop uses their memory
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=4096) for _ in range(2 if self._tls else 1)]
        self._pool = ThreadPoolExecutor(_AT_ONCE)

    @property
    def ports(self) -> tuple[int, int]:
        """Without and with TLS, 0 for none."""
        ports = [listener.getsockname()[1] for listener in self._listeners]
        return ports[0], ports[1] if self._tls else 0

    def start(self) -> None:
        """Begin to accept and to receive, on threads of their own."""
        address = int(self._memory.control.ctypes.data)
        threading.Thread(target=run_receiver, args=(address,), daemon=True).start()
        for listener, tls in zip(self._listeners, (None, self._tls)):
            threading.Thread(target=self._accept_all, args=(listener, tls), daemon=True).start()

    def _accept_all(self, listener: socket.socket, tls: TlsServer | None) -> None:
        while True:
            connection, _ = listener.accept()
            self._pool.submit(self._welcome, connection, tls)

    def _welcome(self, connection: socket.socket, tls: TlsServer | None) -> None:
        try:
            self._open(connection, tls)
        except (OSError, Handshake) as error:
            print(f"the receiver refuses a connection: {error}", file=sys.stderr, flush=True)
            connection.close()

    def _open(self, connection: socket.socket, tls: TlsServer | None) -> None:
        connection.settimeout(_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = tls.accept(connection, _PATIENCE) if tls else None
        end: ReceiverConnection = session or connection
        slot, answer = accept_reply(_read_request(end))
        if not 0 <= slot < SLOTS:
            raise Handshake(f"there is no slot {slot}")
        self._clear(slot)
        if session is not None:
            self._memory.connections[slot]["tls"], self._sessions[slot] = session.address, session
        end.sendall(answer)
        self._hand_over(slot, connection)

    def attach(self, slot: int, port: int, resource: str) -> None:
        """Connect as a client. Raise OSError and Handshake."""
        connection = open_websocket(port, resource)
        self._clear(slot)
        self._hand_over(slot, connection)

    def _clear(self, slot: int) -> None:
        record = self._memory.connections[slot]
        if record["fd"] >= 0:
            raise Handshake(f"slot {slot} is in use")
        for name in self._memory.connections.dtype.names or ():
            record[name] = 0
        record["connected_at"] = time.monotonic_ns()

    def _hand_over(self, slot: int, connection: socket.socket) -> None:
        connection.setblocking(False)
        fd = connection.detach()  # the loop closes it
        self._slot_of_fd[fd] = slot
        self._memory.connections[slot]["fd"] = fd
        self._epoll.register(fd, select.EPOLLIN)


def main() -> None:
    """Serve until standard input ends."""
    process = ReceiverProcess(SharedMemory.open(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    process.start()
    print(*process.ports, flush=True)
    for line in sys.stdin:
        try:
            process.attach(*orjson.loads(line))
            print(flush=True)
        except (OSError, Handshake) as error:
            print(" ".join(str(error).split()), flush=True)


if __name__ == "__main__":
    main()
