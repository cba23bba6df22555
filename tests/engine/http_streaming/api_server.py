"""A server of the HTTP streaming API that knows nothing but its specification, on the standard library's HTTP.

It refuses what the specification does not name in a body. Tests have it answer wrongly, and look at what it was told.
"""

from __future__ import annotations

import base64
import http.server
import queue
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import orjson

from freeswitch_audio_stream.audio import Samples

from ..harness import PATIENCE

_SILENCE = {"audio": "", "transcript": "", "hasMore": False}
_CREATION = {"callId", "tenantId", "storeId", "did", "callerNumber", "aiAgentRef"}


@dataclass
class Wrong:
    """An answer that a test wants in place of the right one."""

    status: int = 500
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    takes: bool = False
    """Whether the server does all the same what was asked."""
    cuts: bool = False
    """Whether the connection is closed instead of any answer."""


@dataclass
class Late:
    """The right answer, when the test is ready for it."""

    ready: threading.Event = field(default_factory=threading.Event)


@dataclass
class Asked:
    """A request as it came."""

    kind: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: Any
    at: float
    connection: int


class ApiServer:
    """Any thread; a context manager."""

    def __init__(self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None, base: str = "/api/voice",
                 keeps_open: bool = True, numbers: bool = False) -> None:
        """With `keeps_open` False it closes a connection after each answer; with `numbers` posts may have a sequence,
        and answers to polls have a position."""
        self.asked: list[Asked] = []
        self.wrong: dict[str, deque[Wrong | Late]] = defaultdict(deque)
        self.sessions: set[str] = set()
        self.posts: list[Samples] = []
        self.sequences: list[int] = []
        self.speech: queue.Queue[dict[str, Any]] = queue.Queue()
        self.connections: list[socket.socket] = []
        self.base, self.keeps_open, self.numbers = base, keeps_open, numbers
        self.summary: dict[str, Any] = {"transcript": ["[AI]: Hi"], "actions": []}
        self.lock = threading.Lock()
        self.said = 0
        self.unreceived: deque[dict[str, Any]] = deque()
        """With numbers: what polls have been answered with, and no later one has said that it came."""
        outer = self

        class Handler(_Handler):
            server_of_tests = outer

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Tests break connections on purpose."""
        self._server = Server((host, 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme, port = "https" if context else "http", self._server.server_address[1]
        self.place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.url = f"{scheme}://{self.place}{base}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> ApiServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()
        self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def of(self, kind: str) -> list[Asked]:
        """The requests of a kind so far: create, post, poll or end."""
        return [asked for asked in list(self.asked) if asked.kind == kind]

    @property
    def heard(self) -> Samples:
        """All audio that was taken."""
        with self.lock:
            return np.concatenate([np.zeros(0, np.int16), *self.posts])

    def say(self, audio: Samples | None = None, transcript: str = "", more: bool = False, **others: Any) -> None:
        """Have the next poll answered by this."""
        data = b"" if audio is None else audio.astype("<i2").tobytes()
        self.speech.put({"audio": base64.b64encode(data).decode(), "transcript": transcript, "hasMore": more, **others})


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_of_tests: ApiServer

    def setup(self) -> None:
        super().setup()
        with self.server_of_tests.lock:
            self.number = len(self.server_of_tests.connections)
            self.server_of_tests.connections.append(self.connection)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._serve(orjson.loads(body))

    def do_GET(self) -> None:
        self._serve(None)

    def _serve(self, body: Any) -> None:
        site, parts = self.server_of_tests, urlsplit(self.path)
        path = unquote(parts.path.removeprefix(site.base))
        kind = _kind(path)
        asked = Asked(kind, path, parse_qs(parts.query), dict(self.headers.items()), body, time.monotonic(),
                      self.number)
        with site.lock:
            site.asked.append(asked)
            wrong = site.wrong[kind].popleft() if site.wrong[kind] else None
        if isinstance(wrong, Late):
            wrong.ready.wait(PATIENCE)
            wrong = None
        status, answer = (404, {"detail": "no such path"}) if not parts.path.startswith(site.base) else (0, {})
        if not status and (wrong is None or wrong.takes):
            status, answer = getattr(self, f"_{kind}")(asked)
        if wrong is None:
            self._answer(status, orjson.dumps(answer), {})
        elif wrong.cuts:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._answer(wrong.status, wrong.body, wrong.headers)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        if not self.server_of_tests.keeps_open:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _create(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        if set(asked.body) != _CREATION:
            return 400, {"detail": f"strange members: {sorted(asked.body)}"}
        call, sessions = asked.body["callId"], self.server_of_tests.sessions
        status = "existing" if call in sessions else "created"
        sessions.add(call)
        return 200, {"sessionId": call, "status": status}

    def _post(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        site = self.server_of_tests
        if asked.path.split("/")[2] not in site.sessions:
            return 404, {"status": "session_not_found", "detail": "no such session"}
        if set(asked.body) - ({"sequence"} if site.numbers else set()) != {"audio"}:
            return 400, {"status": "invalid_audio", "detail": "strange members"}
        samples = np.frombuffer(base64.b64decode(asked.body["audio"], validate=True), "<i2")
        with site.lock:
            site.posts.append(samples)
            site.sequences.append(asked.body.get("sequence", 0))
        return 200, {"status": "streamed"}

    def _poll(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        site = self.server_of_tests
        if asked.path.split("/")[2] not in site.sessions:
            return 404, {"detail": "no such session"}
        seconds = min(int(asked.query["timeout"][0]) / 1000, PATIENCE)
        if site.numbers:
            return 200, self._numbered(int(asked.query.get("received", ["0"])[0]), time.monotonic() + seconds)
        try:
            return 200, site.speech.get(timeout=seconds)
        except queue.Empty:
            return 200, dict(_SILENCE)

    def _numbered(self, received: int, deadline: float) -> dict[str, Any]:
        """The oldest that has not come; polls of broken connections may have been answered with it."""
        site = self.server_of_tests
        while time.monotonic() < deadline:
            try:
                said = site.speech.get(timeout=0.02)
            except queue.Empty:
                said = None
            with site.lock:
                if said is not None:
                    site.said += 1
                    site.unreceived.append({"position": site.said, **said})
                while site.unreceived and site.unreceived[0]["position"] <= received:
                    site.unreceived.popleft()
                if site.unreceived:
                    return site.unreceived[0]
        return {"position": received, **_SILENCE}

    def _end(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        call = asked.path.split("/")[2]
        if call not in self.server_of_tests.sessions:
            return 404, {"detail": "no such session"}
        self.server_of_tests.sessions.discard(call)
        return 200, {"status": "ended", "summary": {"callId": call, "duration": 1, **self.server_of_tests.summary}}


def _kind(path: str) -> str:
    if path == "/session/create":
        return "create"
    return {"end": "end", "response": "poll"}.get(path.rpartition("/")[2], "post")
