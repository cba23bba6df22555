"""The event socket of a FreeSWITCH: commands to it, events from it."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from typing import Any, Callable
from urllib.parse import unquote

from ..errors import SwitchError

Event = dict[str, Any]


class EventSocket:
    """One connection. A thread of its own reads it; the methods may be called on any thread, one command at a time."""

    def __init__(self, port: int, password: str, host: str = "127.0.0.1", timeout: float = 30.0) -> None:
        """Connect and log in; raise OSError."""
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.settimeout(None)
        self._file = self._socket.makefile("rb")
        self._timeout = timeout
        self._replies: list[str] = []
        self._changed = threading.Condition()
        self._commands = threading.Lock()
        self._closed = False
        self.events: list[Event] = []
        """Every event so far, header names to values; the body is ``_body``."""
        self._thread = threading.Thread(target=self._read, name="event-socket", daemon=True)
        self._read_block()
        self._thread.start()
        if not self.request(f"auth {password}").startswith("+OK"):
            raise PermissionError("FreeSWITCH does not accept the event socket's password")

    def close(self) -> None:
        """End the connection."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already
        self._socket.close()

    def request(self, line: str) -> str:
        """Send a command of the event socket; return its reply. Raise TimeoutError and ConnectionError."""
        with self._commands:
            with self._changed:
                count = len(self._replies)
            self._socket.sendall(f"{line}\n\n".encode())
            with self._changed:
                if not self._changed.wait_for(lambda: len(self._replies) > count or self._closed, self._timeout):
                    raise TimeoutError(f"FreeSWITCH does not answer {line!r}")
                if len(self._replies) <= count:
                    raise ConnectionError("FreeSWITCH closed the event socket")
                return self._replies[count]

    def api(self, command: str) -> str:
        """What ``fs_cli -x`` prints."""
        return self.request(f"api {command}").strip()

    def end_calls(self, timeout: float = 30.0) -> None:
        """Hang up every call and wait until all are gone. Raise TimeoutError."""
        self.api("hupall")
        deadline = time.monotonic() + timeout
        while count := self._sessions():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count} calls do not end: something still holds them")
            time.sleep(0.02)

    def _sessions(self) -> int:
        # Not `show channels`: that asks a database, which hears of calls later.
        status = self.api("status")
        match = re.search(r"^(\d+) session\(s\) - ", status, re.MULTILINE)
        if match is None:
            raise SwitchError(f"FreeSWITCH's status does not tell how many sessions there are: {status}")
        return int(match[1])

    def subscribe(self, names: str) -> None:
        """Have events delivered, for example ``DTMF CUSTOM mod_audio_stream::stream_started``: all after CUSTOM are
        subclasses.
        """
        self.request(f"event json {names}")

    def wait_event(self, matches: Callable[[Event], bool], timeout: float | None = None) -> Event:
        """The first event, past ones included, that `matches`; raise TimeoutError."""
        deadline = time.monotonic() + (timeout or self._timeout)
        seen = 0
        with self._changed:
            while True:
                for event in self.events[seen:]:
                    if matches(event):
                        return event
                seen = len(self.events)
                if self._closed or not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError("the event has not come")

    def _read(self) -> None:
        try:
            while self._read_block():
                pass
        except (OSError, ValueError):
            pass  # closed
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _read_block(self) -> bool:
        headers: dict[str, str] = {}
        while (line := self._file.readline()) not in (b"\n", b""):
            name, _, value = line.decode("utf-8", "replace").partition(":")
            headers[name] = unquote(value.strip())
        if not headers:
            return False
        body = self._file.read(int(headers.get("Content-Length", 0))).decode("utf-8", "replace")
        kind = headers.get("Content-Type", "")
        with self._changed:
            if kind == "text/event-json":
                self.events.append(json.loads(body))
            elif kind in ("api/response", "command/reply"):
                self._replies.append(body if kind == "api/response" else headers.get("Reply-Text", ""))
            self._changed.notify_all()
        return True
