"""A TCP proxy that does to connections what networks and servers do: one for tests, soak and experiments.

    python -m freeswitch_audio_stream.testing.peers.fault_proxy HOST:PORT

runs one as a process that can be stopped or killed; it says its own port, and ends with its standard input.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from contextlib import suppress

_JOIN_SECONDS = 30.0
_PIECE_BYTES = 65536
_SLICE_SECONDS = 0.02
"""How often a limited line carries something."""


class FaultProxy:
    """Any thread; a context manager, which breaks what is still open at its end.

    `place` is where it listens, as host:port; `target` may be changed, for connections yet to come.
    """

    def __init__(self, target: str, receive_buffer: int = 0, host: str = "127.0.0.1", port: int = 0) -> None:
        """`target` is host:port; `receive_buffer` in bytes: how much the kernel takes for us, 0 for as it likes.

        It listens at `host` and `port`, 0 for any free one.
        """
        self.target = target
        self.connections = 0
        """So many have been accepted and carried so far."""
        self._host, self._receive_buffer = host, receive_buffer
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._delay = 0.0
        self._bytes_per_second = 0
        self._reads = threading.Event()
        self._reads.set()
        self._open: list[_Line] = []
        self._threads: list[threading.Thread] = []
        self.port = port
        self._listen()
        self.place = f"{host}:{self.port}"

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *exception: object) -> None:
        self.refuse()
        self._carry_everything()
        self.cut()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def delay(self, seconds: float) -> None:
        """Let everything take so long, either way; order and bandwidth stay."""
        self._delay = seconds

    def limit(self, bytes_per_second: int) -> None:
        """Carry no more than this, either way on each connection; 0: no limit."""
        self._bytes_per_second = bytes_per_second

    def stop_reading(self) -> None:
        """Read nothing, from nobody: whoever sends finds the line full after a while."""
        self._reads.clear()

    def swallow(self) -> None:
        """Make the connections that there are half open: what comes is read and thrown away, and no end is told."""
        for line in self._open:
            line.swallows = True

    def refuse(self) -> None:
        """Do not listen any more: who connects is refused by the kernel."""
        if self._listener is not None and self._accepting is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join(_JOIN_SECONDS)
            self._listener.close()
            self._listener = None

    def heal(self) -> None:
        """Carry as if nothing had been; what is broken, or half open, stays so."""
        if self._listener is None:
            self._listen()
        self._carry_everything()

    def _listen(self) -> None:
        self._listener = socket.create_server((self._host, self.port))
        if self._receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), name="fault-proxy")
        self._accepting.start()

    def _carry_everything(self) -> None:
        self._delay, self._bytes_per_second = 0.0, 0
        self._reads.set()

    def cut(self) -> None:
        """End every connection that there is, properly, wherever it is in what it carries."""
        for line in self._taken():
            line.end()

    def reset(self) -> None:
        """Break every connection that there is with a TCP reset."""
        for line in self._taken():
            line.reset()

    def _taken(self) -> list[_Line]:
        lines, self._open = self._open, []
        return lines

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = _connected(self.target)
            if server is None:
                _reset(client)
                continue
            line = _Line(client, server)
            self._open.append(line)
            self.connections += 1
            for source, sink in ((client, server), (server, client)):
                thread = threading.Thread(target=self._carry, args=(line, source, sink), name="fault-proxy")
                self._threads.append(thread)
                thread.start()

    def _carry(self, line: _Line, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError, ValueError):  # ValueError: a socket that was closed meanwhile
            while data := source.recv(self._piece()):
                self._wait(len(data))
                if not line.swallows:
                    sink.sendall(data)
                self._reads.wait()
        if not line.swallows:
            line.end()

    def _piece(self) -> int:
        """Bytes to take at once."""
        limit = self._bytes_per_second
        return max(1, int(limit * _SLICE_SECONDS)) if limit else _PIECE_BYTES

    def _wait(self, count: int) -> None:
        while count > 0 and (limit := self._bytes_per_second):  # which may be over before this is
            time.sleep(_SLICE_SECONDS)
            count -= max(1, int(limit * _SLICE_SECONDS))
        if seconds := self._delay:
            time.sleep(seconds)


class _Line:
    """Both ends of a connection."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._ends = client, server
        self.swallows = False

    def end(self) -> None:
        for sock in self._ends:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        self.swallows = True  # so that whoever carries does not end it before
        for sock in self._ends:
            _reset(sock)


def _connected(target: str) -> socket.socket | None:
    host, _, port = target.rpartition(":")
    try:
        return socket.create_connection((host, int(port)))
    except OSError:
        return None


def _reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RD)  # wakes a thread in recv, for which the kernel would keep the socket
        sock.close()


def main() -> None:
    """Until standard input ends."""
    with FaultProxy(sys.argv[1]) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
