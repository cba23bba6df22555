"""Requests for a WebSocket, on uvicorn: uvicorn gives us the connection, the application decides, we upgrade or refuse.

uvicorn's own WebSocket classes would keep the connection and parse its frames in Python. This one, its `ws` class,
shows the application a plain HTTP request, whose answer is sent as it is, so that a refusal is an ordinary one with
status, body and headers. The one difference: the scope has an `Upgrade` in its extensions, with which the application
can take the connection instead.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from typing import Any, Mapping
from urllib.parse import unquote

import h11

from ..engine.connection.media_clients import PendingConnection
from ..transports import Connection
from ..transports.target import place
from ..web.deadline import Deadline
from .handover import Tunnel, take

EXTENSION = "media_stream.upgrade"
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_EARLY_BYTES = 65536
"""What a client may send before it is answered, which it should not: RFC 6455 has it wait."""
_ANSWER_SECONDS = 5.0
"""Within which a refusal has to be taken, and with TLS the goodbye be answered."""


class Upgrade:
    """The application's hand on a connection."""

    def __init__(self, protocol: UpgradeProtocol) -> None:
        self._protocol = protocol

    def accept(self, pending: PendingConnection) -> None:
        """Complete the handshake and give the connection away; or tell that the client has gone."""
        self._protocol.accept(pending)


class UpgradeProtocol(asyncio.Protocol):
    """One connection that asks for a WebSocket; made by uvicorn as its `Config.ws` says."""

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self._app = config.loaded_app
        self._state = server_state
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._early = b""
        self._gone = asyncio.Event()
        self._tunnel: Tunnel | None = None
        self._transport: Any = None
        self._start: dict[str, Any] = {}
        self._body = b""
        self._deadline = Deadline()

    # What asyncio and uvicorn say.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._state.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._state.connections.discard(self)
        self._gone.set()
        self._deadline.stop()
        if self._tunnel is not None:
            self._tunnel.close()

    def shutdown(self) -> None:
        """The server ends. A client that is attached has been told by its stream."""
        if self._tunnel is None:
            self._transport.close()

    def pause_writing(self) -> None:
        if self._tunnel is not None:
            self._tunnel.pause()

    def resume_writing(self) -> None:
        if self._tunnel is not None:
            self._tunnel.resume()

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.feed(data)
        elif self._request is None:
            self._begin(data)
        elif len(self._early) + len(data) <= _EARLY_BYTES:
            self._early += data
        else:
            self._transport.abort()

    def _begin(self, data: bytes) -> None:
        """uvicorn hands over a whole request, first and at once."""
        self._http.receive_data(data)
        request = self._http.next_event()
        assert isinstance(request, h11.Request)
        self._request = request
        fault = _fault(request)
        if fault:
            self._answer(400, [(b"content-type", b"text/plain; charset=utf-8"), (b"sec-websocket-version", b"13")],
                         fault.encode())
            return
        task = asyncio.get_running_loop().create_task(self._run(self._scope(request)))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    # The application's side (ASGI).

    def _scope(self, request: h11.Request) -> dict[str, Any]:
        raw_path, _, query = request.target.partition(b"?")
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.http_version.decode("ascii"), "method": request.method.decode("ascii"),
            "scheme": "https" if self._is_secure else "http", "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path, "query_string": query, "root_path": "", "headers": list(request.headers),
            "client": self._transport.get_extra_info("peername")[:2],
            "server": self._transport.get_extra_info("sockname")[:2], "state": {},
            "extensions": {EXTENSION: Upgrade(self)},
        }

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        except Exception:  # the application has told of it
            if not self._transport.is_closing():
                self._transport.abort()

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._start = dict(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            self._answer(self._start["status"], list(self._start["headers"]), self._body)

    def _answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Refuse; the connection is of no use after that."""
        if self._transport.is_closing():
            return
        kept = [(name, value) for name, value in headers if name.lower() not in (b"content-length", b"connection")]
        kept += [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        for event in (h11.Response(status_code=status, headers=kept), h11.Data(data=body), h11.EndOfMessage()):
            self._transport.write(self._http.send(event))
        self._transport.close()
        self._deadline.start(self._transport, _ANSWER_SECONDS)

    # The upgrade.

    @property
    def _is_secure(self) -> bool:
        return self._transport.get_extra_info("ssl_object") is not None

    def accept(self, pending: PendingConnection) -> None:
        """See `Upgrade.accept`."""
        if self._transport.is_closing() or self._request is None:
            pending.fail("the client has gone before its handshake was done")
            return
        peer = place(*self._transport.get_extra_info("peername")[:2])
        self._transport.write(self._switching())
        try:
            connection = take(self._transport, self._early, peer)
            if connection is None:
                self._tunnel = Tunnel(self._transport)
        except OSError as error:
            pending.fail(f"the connection of the client could not be taken over: {error}")
            self._transport.abort()
            return
        if connection is None:
            assert self._tunnel is not None
            connection = Connection(self._tunnel.local, self._early, None, peer, {})
        else:
            self._state.connections.discard(self)
        pending.arrive(connection)

    def _switching(self) -> bytes:
        assert self._request is not None
        key = _header(self._request, b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
        return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def _header(request: h11.Request, name: bytes) -> bytes:
    return b", ".join(value for key, value in request.headers if key == name)


def _fault(request: h11.Request) -> str:
    """What is wrong with a client's handshake (RFC 6455 section 4.2.1); "" for nothing. uvicorn has seen the rest."""
    if request.method != b"GET" or request.http_version < b"1.1":
        return "a WebSocket is asked for by GET and HTTP/1.1"
    if _header(request, b"sec-websocket-version") != b"13":
        return "only version 13 of the WebSocket protocol (RFC 6455) is spoken here: send Sec-WebSocket-Version: 13"
    try:
        nonce = base64.b64decode(_header(request, b"sec-websocket-key"), validate=True)
    except binascii.Error:
        nonce = b""
    return "" if len(nonce) == 16 else "the header Sec-WebSocket-Key is missing, or not 16 bytes in base64"
