"""A service of ours as its user starts it, as a process of its own, for benchmarks that put a load on it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Mapping, Sequence, TypeVar
from urllib.parse import urlsplit

from .errors import BenchError

_PACKAGE = __name__.split(".")[0]
_Process = TypeVar("_Process", bound="ServiceProcess")


class ServiceProcess:
    """``freeswitch-audio-stream`` with the name of a service; a context manager, which ends it."""

    signals = 1
    """How often it is sent SIGTERM at the end."""
    end_seconds = 30.0
    """What it is left to end by itself; then it is killed."""

    def __init__(self, service: str, options: Sequence[object], environment: Mapping[str, str],
                 folder: Path | None = None) -> None:
        """Start it in `folder` (None: this process's own), and block until it listens; raise BenchError if it does not.
        """
        self._process = subprocess.Popen([sys.executable, "-m", _PACKAGE, service, *map(str, options)], text=True,
                                         stdout=subprocess.PIPE, start_new_session=True, env=environment, cwd=folder)
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self.host, self.port = place(self._process.stdout.readline(), f"the {service}")
        # What it says later is of no use, but has to be read.
        self._reader = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._reader.start()

    def __enter__(self: _Process) -> _Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for _ in range(self.signals):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self.end_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def place(line: str, name: str) -> tuple[str, int]:
    """Return host and port of a server's line about where it listens; raise BenchError for any other line."""
    url = urlsplit(line.rpartition(" ")[2].strip())
    if not line.startswith("listening on ") or url.hostname is None or url.port is None:
        raise BenchError(f"{name} has not started; its error, if it has said one, is above")
    return url.hostname, url.port
