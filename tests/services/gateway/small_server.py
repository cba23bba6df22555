"""A server of the gateway's API that shares no code with ours: it echoes, and can be wrong in one thing."""

from __future__ import annotations

import base64
import binascii
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Iterator

NOW = "2025-11-05T15:00:00.000Z"
_SESSION = re.compile(r"/api/voice/(session|stream)/([^/?]+)(/\w+)?")
MAX_BODY = 10 << 20


class SmallServer(ThreadingHTTPServer):
    """`wrong` maps ``POST create``, ``POST stream``, ``GET response`` … to what is answered instead."""

    def __init__(self, key: str, wrong: dict[str, tuple[int, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key, self.wrong = key, wrong
        self.audio: dict[str, bytes] = {}
        self.ended: list[str] = []
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: SmallServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.server.lock:
            route, (status, content) = self._answer(body)
        status, content = self.server.wrong.get(route, (status, content))
        data = content if isinstance(content, bytes) else json.dumps(content, indent=1).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, body: bytes) -> tuple[str, tuple[int, Any]]:
        path = self.path.partition("?")[0]
        if self.server.key and self.headers.get("authorization") != f"Bearer {self.server.key}" and path != "/health":
            return "unauthorised", (401, {"detail": "no key"})
        if path == "/api/voice/sessions":
            sessions = [{"callId": call} for call in self.server.audio]
            return "GET sessions", (200, {"sessions": sessions, "count": len(sessions)})
        if path == "/api/voice/session/create":
            return "POST create", self._create(body)
        found = _SESSION.fullmatch(path)
        if found is None:
            return "other", (200, {"status": "ok"})
        kind, call, what = found.groups()
        route = f"{self.command} {(what or kind).strip('/')}"
        if call not in self.server.audio:
            return f"{route} of nobody", (404, {"status": "session_not_found", "detail": f"there is no call {call}"})
        return route, self._of_call(route, call, body)

    def _create(self, body: bytes) -> tuple[int, Any]:
        try:
            call = json.loads(body)["callId"]
        except (ValueError, LookupError):
            return 400, {"detail": "callId is missing"}
        status = "existing" if call in self.server.audio else "created"
        self.server.audio.setdefault(call, b"")
        return 200, {"sessionId": call, "status": status}

    def _of_call(self, route: str, call: str, body: bytes) -> tuple[int, Any]:
        if route == "POST stream":
            try:
                audio = base64.b64decode(json.loads(body)["audio"], validate=True)
            except (ValueError, LookupError, binascii.Error):
                audio = b"?"
            if len(audio) % 2:
                return 400, {"status": "invalid_audio", "detail": "audio is no base64 of whole samples"}
            self.server.audio[call] += audio
            return 200, {"status": "streamed"}
        if route == "GET response":
            audio, self.server.audio[call] = self.server.audio[call], b""
            return 200, {"audio": base64.b64encode(audio).decode(), "transcript": "[AI]: Hello", "hasMore": False}
        if route == "POST end":
            del self.server.audio[call]
            self.server.ended.append(call)
            return 200, {"status": "ended", "summary": {"callId": call, "duration": 1, "transcript": [], "actions": []}}
        return 200, {"callId": call, "status": "active", "createdAt": NOW, "lastActivity": NOW, "transcriptCount": 1,
                     "actionsCount": 0}


@contextmanager
def serving(key: str = "", wrong: dict[str, tuple[int, Any]] | None = None) -> Iterator[SmallServer]:
    """The server on a thread, until the block ends."""
    with SmallServer(key, wrong or {}) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
