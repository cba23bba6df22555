"""A server such as the community module's users have, on the library `websockets`: it records, and says what it is
told.
"""

from __future__ import annotations

import base64
import socket
import threading
import time
from typing import Any, Callable, Sequence

import numpy as np
import orjson
from websockets.exceptions import ConnectionClosedError
from websockets.sync.server import Server as Listener
from websockets.sync.server import ServerConnection, serve

from ...audio import Samples
from . import PATIENCE


class Recording:
    """What has come on a connection, to be waited for on any thread."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        """When the connection was accepted."""
        self.messages: list[str | bytes] = []
        self.close_code: int | None = None
        """1006 where the connection ended without a close frame."""
        self.close_reason = ""
        self._changed = threading.Condition()

    def keep(self, message: str | bytes) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def end(self, code: int | None, reason: str | None = "") -> None:
        with self._changed:
            self.close_code, self.close_reason = code, reason or ""
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[Any], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), PATIENCE), \
                f"it has not happened; {len(self.messages)} messages came, the close code is {self.close_code}"

    def closed(self) -> int:
        """The close code, as soon as there is one."""
        self.wait_for(lambda peer: peer.close_code is not None)
        assert self.close_code is not None
        return self.close_code

    @property
    def texts(self) -> list[str]:
        return [message for message in list(self.messages) if isinstance(message, str)]

    @property
    def chunks(self) -> list[bytes]:
        """The binary messages."""
        return [message for message in list(self.messages) if isinstance(message, bytes)]

    def audio(self, channels: int = 1) -> Samples:
        """int16[n], or [n, channels], of the binary messages."""
        samples: Samples = np.frombuffer(b"".join(self.chunks), "<i2")
        return samples.reshape(-1, channels) if channels > 1 else samples

    def wait_for_bytes(self, count: int) -> None:
        """Wait for so many bytes of audio."""
        self.wait_for(lambda peer: sum(map(len, peer.chunks)) >= count)


class Peer(Recording):
    """The server's end of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        super().__init__()
        self._connection = connection
        assert connection.request is not None
        self.headers = connection.request.headers
        self.extensions = connection.protocol.extensions
        self.subprotocol = connection.subprotocol

    def record(self) -> None:
        """Take in messages until the connection is over; on the connection's own thread."""
        try:
            for message in self._connection:
                self.keep(message)
        except ConnectionClosedError:
            pass  # as the close code shows
        self.end(self._connection.protocol.close_code, self._connection.protocol.close_reason)

    def send(self, message: str | bytes | dict[str, Any]) -> None:
        self._connection.send(orjson.dumps(message).decode() if isinstance(message, dict) else message)

    def send_in_pieces(self, pieces: Sequence[str]) -> None:
        """One message, as frames that continue each other."""
        self._connection.send(iter(pieces))

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._connection.close(code, reason)

    def drop(self) -> None:
        """Have the connection break."""
        self._connection.close_socket()


class Server:
    """Listens on a port that it keeps; a context manager. `options` are those of `websockets.sync.server.serve`."""

    def __init__(self, **options: Any) -> None:
        self._host = options.pop("host", "127.0.0.1")
        self._options = options
        self._changed = threading.Condition()
        self.peers: list[Peer] = []
        self._open(0)
        self.port: int = self._socket.getsockname()[1]

    def _open(self, port: int) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._dead = False
        listener = socket.create_server((self._host, port), family=family)
        self._listener: Listener = serve(self._handle, sock=listener, **self._options)
        self._socket = self._listener.socket
        self._thread = threading.Thread(target=self._listener.serve_forever, name="community server")
        self._thread.start()

    def _handle(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        with self._changed:
            if self._dead:
                return peer.drop()
            self.peers.append(peer)
            self._changed.notify_all()
        peer.record()

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'wss' if self._options.get('ssl') else 'ws'}://{host}:{self.port}/"

    def wait_for_peer(self, number: int = 1) -> Peer:
        """The `number`-th connection, counted from 1."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.peers) >= number, PATIENCE), "nobody connects"
        return self.peers[number - 1]

    def kill(self) -> None:
        """As when the process dies: nobody listens any more, and every connection breaks."""
        with self._changed:
            self._dead = True
        if self._thread.is_alive():
            self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        for peer in self.peers:
            if peer.close_code is None:
                peer.drop()
        self._listener.shutdown()

    def restart(self) -> None:
        """After `kill`: listen on the same port."""
        self._open(self.port)

    def change(self, **options: Any) -> None:
        """Between `kill` and `restart`."""
        self._options.update(options)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def stream_audio(kind: str, audio: bytes, **fields: Any) -> dict[str, Any]:
    """The message by which such a server sends audio."""
    return {"type": "streamAudio", "data": {"audioDataType": kind, "audioData": in_base64(audio), **fields}}
