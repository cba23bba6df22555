"""Gateways that share a Redis, a proxy that gives each request to the next of them, and callers who check what they
hear: every chunk once, in order, whoever is killed meanwhile.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from tests.engine.harness import PATIENCE, until

from .redis_server import free_port

CHUNK_BYTES = 320
STILL_SECONDS = 2.5
"""How long the proxy waits for an answer; callers have their polls wait for one second."""
AGENT = '''
from freeswitch_audio_stream.services.gateway.agents import Agent

class Clerk(Agent):
    """Repeats each chunk, and writes down its number twice: as a line and as an action."""

    async def hear(self, audio):
        for first in range(0, len(audio), 320):
            chunk = audio[first:first + 320]
            number = int.from_bytes(chunk[:4], "little")
            self.output.play(chunk)
            self.output.transcript("AI", f"chunk {number}")
            self.output.action({"chunk": number})
'''


def install_clerk(folder: Path) -> None:
    """Make a package in `folder` whose agent is found as anybody's is."""
    (folder / "clerk.py").write_text(AGENT)
    info = folder / "clerk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clerk\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[freeswitch_audio_stream.agents]\nclerk = clerk:Clerk\n")


class Replica:
    """A gateway, always on the same port."""

    def __init__(self, redis_url: str, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._url, self._folder, self._options = redis_url, folder, options
        self.start()

    def start(self) -> None:
        paths = [str(self._folder), str(Path(__file__).parents[3])]
        environment = {**os.environ, "REDIS_URL": self._url, "PYTHONPATH": os.pathsep.join(paths),
                       "AUDIO_STREAM_GATEWAY_AGENTS": '{"default": {"agent": "clerk"}}'}
        self.log = self._folder / f"gateway-{self.port}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "freeswitch_audio_stream", "gateway", "--port",
                                             str(self.port), *self._options], env=environment, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        """Return when it accepts sessions."""
        until(lambda: self.status("/ready") == 200)

    def status(self, path: str) -> int:
        """Return the status of an answer; 0: there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def metric(self, name: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith(f"audio_stream_gateway_{name} "))
        finally:
            connection.close()

    def end(self, number: int = signal.SIGKILL) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class Turns:
    """Whose turn it is: by turns, but for a second none of a replica that has not answered."""

    def __init__(self, ports: list[int]) -> None:
        self._turns, self._count = itertools.cycle(ports), len(ports)
        self._lock = threading.Lock()
        self._failed_at = dict.fromkeys(ports, float("-inf"))

    def next(self) -> int:
        with self._lock:
            turns = [next(self._turns) for _ in range(self._count)]
            next(self._turns)
            return max(turns, key=lambda port: time.monotonic() - self._failed_at[port] >= 1.0)

    def fail(self, port: int) -> None:
        self._failed_at[port] = time.monotonic()


class Proxy:
    """Gives each request to the next replica, and says 502 where that one does not answer."""

    def __init__(self, ports: list[int]) -> None:
        turns = Turns(ports)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                pass

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                port = turns.next()
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STILL_SECONDS)
                try:
                    connection.request(self.command, self.path, body)
                    answer = connection.getresponse()
                    status, content = answer.status, answer.read()
                except (OSError, http.client.HTTPException):
                    status, content = 502, b"{}"
                    turns.fail(port)
                finally:
                    connection.close()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _forward

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # else connections wait for a second, until they are asked for again

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a caller has gone

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()


class Caller:
    """Posts numbered chunks and polls, on two threads, and asks again whatever has not been answered."""

    PERIOD = 0.04

    def __init__(self, name: str, port: int) -> None:
        self.name, self._port = name, port
        self.posted = 0
        self.heard: list[int] = []
        self.lines: list[str] = []
        self.faults: list[str] = []
        self.longest_silence = 0.0
        """Seconds from one piece to the next."""
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(work,), daemon=True)
                         for work in (self._post, self._poll)]

    def begin(self) -> None:
        assert self._ask("POST", "/api/voice/session/create", {"callId": self.name})
        for thread in self._threads:
            thread.start()

    def _guard(self, work: Any) -> None:
        try:
            work()
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}")
            self._stop.set()

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Return the answer, from whoever gives one; raise AssertionError where it is a refusal."""
        deadline = time.monotonic() + PATIENCE
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            try:
                connection.request(method, path, None if body is None else orjson.dumps(body))
                answer = connection.getresponse()
                status, content = answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                status, content = 502, b""
            finally:
                connection.close()
            if status == 200:
                result: dict[str, Any] = orjson.loads(content)
                return result
            assert status in (502, 503), (status, content)
            assert time.monotonic() < deadline, "nobody answers"
            self._stop.wait(0.02) if not self._stop.is_set() else time.sleep(0.02)

    def _post(self) -> None:
        while not self._stop.wait(self.PERIOD):
            chunk = self.posted.to_bytes(4, "little") * (CHUNK_BYTES // 4)
            self._ask("POST", f"/api/voice/stream/{self.name}",
                      {"audio": base64.b64encode(chunk).decode(), "sequence": self.posted})
            self.posted += 1

    def _poll(self) -> None:
        position, last = 0, time.monotonic()
        while not (self._stop.is_set() and not self._threads[0].is_alive() and len(self.heard) >= self.posted):
            answer = self._ask("GET", f"/api/voice/stream/{self.name}/response?timeout=1000&received={position}")
            position = answer["position"]
            self.lines += [answer["transcript"]] if answer["transcript"] else []
            audio = base64.b64decode(answer["audio"])
            self.heard += [int.from_bytes(audio[first:first + 4], "little")
                           for first in range(0, len(audio), CHUNK_BYTES)]
            if audio:
                now = time.monotonic()
                self.longest_silence, last = max(self.longest_silence, now - last), now

    def end(self) -> dict[str, Any]:
        """Say nothing more, hear the rest, and return the summary."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive(), (self.name, self.posted, len(self.heard), self.faults)
        summary: dict[str, Any] = self._ask("POST", f"/api/voice/session/{self.name}/end")["summary"]
        return summary

    def check(self) -> None:
        """Every chunk was heard once and in order, and so is it in transcript and actions."""
        summary = self.end()
        assert self.faults == [], self.faults
        numbers = list(range(self.posted))
        assert self.posted and self.heard == numbers
        assert summary["transcript"] == [f"[AI]: chunk {number}" for number in numbers]
        assert summary["actions"] == [{"chunk": number} for number in numbers]
        assert self.lines == summary["transcript"][:len(self.lines)]


class Crowd:
    """Callers, and whether they hear."""

    def __init__(self, count: int, port: int) -> None:
        self.callers = [Caller(f"call-{number}", port) for number in range(count)]
        for caller in self.callers:
            caller.begin()

    def wait_heard(self) -> None:
        """Return when each has heard something that it said after this was called."""
        said = [caller.posted for caller in self.callers]
        until(lambda: all(caller.faults or caller.heard and caller.heard[-1] > number
                          for caller, number in zip(self.callers, said)))

    def longest_silence(self) -> float:
        """Return for how long one of them has heard nothing, in seconds, since this was last called."""
        longest = max(caller.longest_silence for caller in self.callers)
        for caller in self.callers:
            caller.longest_silence = 0.0
        return longest

    def check(self) -> None:
        for caller in self.callers:
            caller.check()
