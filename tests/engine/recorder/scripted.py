"""A recorder that does what a test has it do: after the specification alone, or wrong."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any, Callable
from urllib.parse import parse_qsl, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from ..harness import PATIENCE

Script = Callable[["Connection"], None]


class Connection:
    """A connection of a stream, on the thread of its script."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        assert connection.request is not None
        parts = urlsplit(connection.request.path)
        self.path, self.query = parts.path, dict(parse_qsl(parts.query))

    def say(self, **body: Any) -> None:
        self.connection.send(json.dumps(body))

    def hear(self) -> Any:
        return self.connection.recv(PATIENCE)


class ScriptedRecorder:
    """One script for each connection, in order; whatever a script raises, the test does."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = iter(scripts)
        self._faults: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
        self.connections: list[Connection] = []
        self._server: Server = serve(self._serve, "127.0.0.1", 0, compression=None)
        self.url = "ws://127.0.0.1:%d/api/ws/audio" % self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> ScriptedRecorder:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)
        if exception[0] is None and not self._faults.empty():
            raise self._faults.get()

    def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(Connection(connection))
        try:
            next(self._scripts)(self.connections[-1])
        except ConnectionClosed:
            pass
        except BaseException as fault:
            self._faults.put(fault)
