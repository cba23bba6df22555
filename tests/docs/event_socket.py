"""The event socket of an embedded switch: as much of FreeSWITCH's as programs of the documentation use."""

from __future__ import annotations

import json
import socketserver
import threading
from typing import Any

from freeswitch_audio_stream.simulator import EmbeddedSwitch, Event

PASSWORD = "ClueCon"


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._sending = threading.Lock()
        self._send("auth/request", "", b"")
        if self._command() != f"auth {PASSWORD}":
            return
        self._reply("+OK accepted")
        over = threading.Event()
        while command := self._command():
            word, _, rest = command.partition(" ")
            if word == "api":
                self._send("api/response", "", self.server.switch.execute(rest).encode())
            else:
                assert word == "event" and rest.startswith("json CUSTOM "), command
                self._reply("+OK event listener enabled json")
                threading.Thread(target=self._tell, args=(set(rest.split()[2:]), over)).start()
        over.set()

    def _command(self) -> str:
        """The next command; nothing when the program has closed the connection."""
        line = self.rfile.readline().decode().rstrip("\n")
        assert self.rfile.readline() in (b"\n", b"")
        return line

    def _reply(self, text: str) -> None:
        self._send("command/reply", f"Reply-Text: {text}\n", b"")

    def _send(self, kind: str, headers: str, body: bytes) -> None:
        length = f"Content-Length: {len(body)}\n" if body else ""
        with self._sending:
            self.wfile.write(f"{length}Content-Type: {kind}\n{headers}\n".encode() + body)

    def _tell(self, subclasses: set[str], over: threading.Event) -> None:
        told = 0
        while not over.wait(0.01):
            for event in list(self.server.switch.events)[told:]:
                told += 1
                if event.subclass in subclasses:
                    self._send("text/event-json", "", json.dumps(_as_json(event)).encode())


def _as_json(event: Event) -> dict[str, Any]:
    return {"Event-Name": "CUSTOM", "Event-Subclass": event.subclass, **event.headers,
            "Content-Length": str(len(event.body)), "_body": event.body}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    switch: EmbeddedSwitch


class EmbeddedEventSocket:
    """Listens on 127.0.0.1 while the context lasts."""

    def __init__(self, switch: EmbeddedSwitch) -> None:
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.switch = switch
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> EmbeddedEventSocket:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
