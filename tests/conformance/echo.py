"""An echo made of the module's own parts: its I/O loop, links and handshakes, as a client and behind its web server."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import uvicorn

from freeswitch_audio_stream.audio import Encoding
from freeswitch_audio_stream.config import StreamSettings
from freeswitch_audio_stream.engine.connection.inbox import TEXT, Message
from freeswitch_audio_stream.engine.connection.link import Link
from freeswitch_audio_stream.engine.connection.media_clients import PendingConnection
from freeswitch_audio_stream.engine.dispatch.dispatcher import Dispatcher
from freeswitch_audio_stream.errors import ConnectError
from freeswitch_audio_stream.http_api.upgrade import EXTENSION, UpgradeProtocol
from freeswitch_audio_stream.protocols.messages import OutMessage
from freeswitch_audio_stream.realtime.core import C_FUNCTIONS, Core
from freeswitch_audio_stream.realtime.path_format import PathFormat
from freeswitch_audio_stream.simulator import EmbeddedSwitch
from freeswitch_audio_stream.switch import Switch
from freeswitch_audio_stream.transports import Connection
from freeswitch_audio_stream.web.server import configure
from tests.engine.harness import PATIENCE

LARGEST = 16 << 20
"""Bytes of the suite's largest message."""
_SETTINGS = replace(StreamSettings(), deflate=True, subprotocol_name="", ping_secs=0, max_message_bytes=LARGEST)
_FORM = PathFormat(tracks="inbound", rate=8000, encoding=Encoding.L16, chunk_ms=20, buffer_secs=1, playback_secs=1,
                   binary_playback=False)


class Echo:
    """One core and one dispatcher, for any number of connections that say what they hear."""

    def __init__(self) -> None:
        library = Switch(EmbeddedSwitch().resolve).library
        self.core = Core({name: library.address(name) for name in C_FUNCTIONS}, workers=1)
        self.faults: list[BaseException] = []
        """What a job of the dispatcher let escape."""
        self.dispatcher = Dispatcher(self.core.workers[0], self.faults.append)
        self.dispatcher.start()

    def close(self) -> None:
        """End all threads; no connection is open any more."""
        assert self.dispatcher.stop(time.monotonic() + PATIENCE) and self.core.stop(PATIENCE)

    def connect(self, url: str) -> EchoConnection:
        """Be the client of a server."""
        return EchoConnection(self, url, None)

    def take(self, pending: PendingConnection) -> EchoConnection:
        """Be the server of a client."""
        return EchoConnection(self, "", pending)


class EchoConnection:
    """One connection, from its beginning to its end: owner of a `Link`, and listener."""

    def __init__(self, echo: Echo, url: str, pending: PendingConnection | None) -> None:
        self.over = threading.Event()
        """Set when the socket is closed, or there has been none."""
        self._echo = echo
        self._path, _ = echo.core.open_path(_FORM, [])
        self._link = Link(url, _SETTINGS, self._path, echo.dispatcher, pending)
        self._link.report_to(self, self)
        echo.dispatcher.adopt(self._path.index, lambda: self._link.attend(self._path.take_attention()))
        echo.dispatcher.post(lambda: self._link.connect(PATIENCE))

    def link_up(self, connection: Connection) -> None:
        self._link.attach()

    def link_failed(self, error: ConnectError) -> None:
        self._echo.faults.append(error)
        self.link_released()

    def link_refused(self, text: str, for_good: bool) -> None:
        """The link answers."""

    def link_lost(self, text: str, timed_out: bool) -> None:
        """`link_released` follows."""

    def link_down(self, code: int, text: str, clean: bool) -> None:
        """`link_released` follows."""

    def link_released(self) -> None:
        self._echo.dispatcher.forget(self._path.index)
        self._echo.core.close_path(self._path)
        self.over.set()

    def take_message(self, message: Message) -> None:
        said = (self._link.send(OutMessage(message.data)) if message.opcode == TEXT
                else self._path.send(message.opcode, message.data))
        assert said, f"{len(message.data)} bytes do not fit into the outbox"

    def take_frame(self, kind: int, payload: bytes) -> None:
        raise AssertionError("this is no AudioSocket")


class EchoServer:
    """The media server's uvicorn, with an application that lets everybody in."""

    def __init__(self, echo: Echo) -> None:
        async def let_in(scope: Any, receive: Any, send: Any) -> None:
            pending = PendingConnection()
            echo.take(pending)
            scope["extensions"][EXTENSION].accept(pending)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._server = uvicorn.Server(configure(let_in, UpgradeProtocol))
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        loop = asyncio.SelectorEventLoop()
        loop.run_until_complete(self._server.serve(sockets=[self._socket]))
        loop.close()

    def __enter__(self) -> EchoServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._socket.close()
        assert not self._thread.is_alive()
