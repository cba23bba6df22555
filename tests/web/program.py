"""A web server with a small application of its own, for the tests of what all web servers share."""

from __future__ import annotations

import http.client
import socket
import threading
from typing import Any

from fastapi import FastAPI, Request

from freeswitch_audio_stream.errors import AudioStreamError, CapacityRefused
from freeswitch_audio_stream.web.connection_limits import ConnectionLimits
from freeswitch_audio_stream.web.documentation import add_documentation
from freeswitch_audio_stream.web.listen_address import ListenAddress
from freeswitch_audio_stream.web.refusals import Refusal, answer_errors
from freeswitch_audio_stream.web.request_body import read_body
from freeswitch_audio_stream.web.server import WebServer
from tests.engine.harness import PATIENCE

MAX_BODY_BYTES = 65536
FAILURES = {"refused": Refusal(418, "short and stout", {"X-Kind": "teapot"}), "full": CapacityRefused("no room"),
            "other": AudioStreamError("something else"), "defect": ZeroDivisionError("for the test")}
ANYWHERE = ListenAddress("127.0.0.1", 0)


class Program:
    """A server, its application, and what it has told."""

    def __init__(self, app: Any = None, **options: Any) -> None:
        self.told: list[str] = []
        self.faults: list[BaseException] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        small = FastAPI(title="The small application", docs_url=None, redoc_url=None)
        answer_errors(small, self.faults.append)
        add_documentation(small)

        @small.get("/hello")
        async def hello() -> str:
            return "hello"

        @small.get("/slow")
        def slow() -> str:
            self.begun.set()
            assert self.go_on.wait(PATIENCE)
            return "done"

        @small.post("/length")
        async def length(request: Request) -> int:
            return len(await read_body(request, MAX_BODY_BYTES))

        @small.get("/fail/{how}")
        async def fail(how: str) -> None:
            raise FAILURES[how]
        self.server = WebServer(app or small, **{
            "listen": ANYWHERE, "limits": ConnectionLimits(9, 9), "name": "the test server", "tell": self.told.append,
            "on_fault": self.faults.append, **options})

    def connect(self) -> socket.socket:
        host, _, port = self.server.address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=PATIENCE)

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.server.address, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
