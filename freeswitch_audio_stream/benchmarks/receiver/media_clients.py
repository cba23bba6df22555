"""Clients of the media server: where it is, what opens it, and how the receiver's process connects to it."""

from __future__ import annotations

import base64
import os
import secrets
import socket
from importlib.machinery import PathFinder
from pathlib import Path

from ..errors import BenchError
from .receiver import wait_until

HOST = "127.0.0.1"
PATIENCE = 10.0
_PACKAGES = ("fastapi", "uvicorn", "h11", "jwt")
_START_SECONDS = 30.0


class MeasuredMediaServer:
    """The one of the next switch that is started with `environment`."""

    def __init__(self, site_packages: Path | None = None) -> None:
        """`site_packages` is as for `switches.RealSwitch`. Raise BenchError where its packages are missing there."""
        places = [str(site_packages)] if site_packages else None
        missing = [name for name in _PACKAGES if PathFinder.find_spec(name, places) is None]
        if missing:
            raise BenchError("clients attach to the media server, and what that needs is missing in "
                             f"{site_packages or 'this Python'} ({', '.join(missing)}): install fastapi, uvicorn, h11 "
                             "and PyJWT there, or measure without --transports attached")
        with socket.create_server((HOST, 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._token = secrets.token_urlsafe()

    @property
    def environment(self) -> dict[str, str]:
        """Settings, as environment variables of the switch."""
        values = {"address": HOST, "port": self.port, "tokens": self._token, "cert_file": "", "max_clients": 4000}
        return {f"MOD_AUDIO_STREAM_MEDIA_SERVER_{name.upper()}": str(value) for name, value in values.items()}

    def wait(self) -> None:
        """Until it listens. Raise BenchError where it does not."""
        if not wait_until(self._listens, _START_SECONDS):
            raise BenchError(f"the media server does not listen on {HOST}:{self.port}: see whether the switch's Python "
                             f"can import {', '.join(_PACKAGES)}, and whether something else has taken that port")

    def _listens(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), PATIENCE).close()
        except OSError:
            return False
        return True

    def resource(self, call: str, encapsulation: str) -> str:
        """What a client asks for."""
        return f"/v1.0/calls/{call}/media_stream?encapsulation={encapsulation}&token={self._token}"


def open_websocket(port: int, resource: str) -> socket.socket:
    """A client's connection, its handshake done and nothing read of what comes behind. Raise OSError."""
    connection = socket.create_connection((HOST, port), PATIENCE)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(f"GET {resource} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\n"
                           f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
                           .encode())
        _read_answer(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_answer(connection: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        part = connection.recv(1)  # frames may follow at once, and are for the compiled loop
        if not part:
            raise ConnectionError("the media server hangs up during the handshake")
        answer += part
    if not answer.startswith(b"HTTP/1.1 101 "):
        body = connection.makefile("rb").read()  # it closes behind it
        raise ConnectionError(f"{answer.splitlines()[0].decode()}: {body.decode()}")
