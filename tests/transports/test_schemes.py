"""The door: which way a URL's scheme leads; TCP without a handshake."""

from __future__ import annotations

import socket
import threading

import pytest

from freeswitch_audio_stream.errors import ConnectError, ConnectionRefused
from freeswitch_audio_stream.testing.peers.listener import accept_websocket
from freeswitch_audio_stream.transports import Cancel, connect


@pytest.fixture
def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_audiosocket_is_tcp_and_nothing_else(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    connection = connect(f"audiosocket://127.0.0.1:{port}", subprotocol="unused", headers={"X": "y"}, deflate=True)
    with listener, listener.accept()[0] as server:
        assert connection.peer == f"127.0.0.1:{port}" and connection.leftover == b"" and connection.deflate is None
        assert not connection.sock.getblocking()
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.sock.send(b"first")
        assert server.recv(100) == b"first", "something came before what the caller sent"
        server.send(b"answer")
        connection.sock.setblocking(True)
        assert connection.sock.recv(100) == b"answer"
        connection.close()
        assert server.recv(100) == b"" and connection.fileno() == -1 and connection.join(0)


def test_a_websocket_is_one_still(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    opened = []
    thread = threading.Thread(target=lambda: opened.append(connect(f"ws://127.0.0.1:{port}/", timeout=20)))
    thread.start()
    with listener, listener.accept()[0] as server:
        accept_websocket(server)
        thread.join(20)
        assert opened[0].peer == f"127.0.0.1:{port}"
        opened[0].close()


def test_nobody_listens(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(ConnectionRefused, match=f"127.0.0.1:{port} does not accept connections"):
        connect(f"audiosocket://127.0.0.1:{port}", timeout=20)


def test_a_cancelled_attempt(listener: socket.socket) -> None:
    cancel = Cancel()
    cancel.cancel()
    with listener, pytest.raises(ConnectError, match="given up"):
        connect(f"audiosocket://127.0.0.1:{listener.getsockname()[1]}", cancel=cancel)
