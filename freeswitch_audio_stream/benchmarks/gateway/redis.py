"""A Redis for the gateway to keep its sessions in: Debian's server, with nothing on disk."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from ..errors import BenchError

_START_SECONDS = 10.0


class RedisProcess:
    """``redis-server`` on a socket in a folder of its own; a context manager."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise BenchError("--redis needs redis-server, and there is none: apt-get install redis-server")
        self._folder = tempfile.TemporaryDirectory()
        socket = Path(self._folder.name) / "redis.sock"
        self.url = f"unix://{socket}"
        self._process = subprocess.Popen([program, "--port", "0", "--unixsocket", str(socket), "--save", "",
                                          "--appendonly", "no", "--dir", self._folder.name],
                                         stdout=subprocess.DEVNULL, start_new_session=True)
        self.pid = self._process.pid
        deadline = time.monotonic() + _START_SECONDS
        while not socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end()
                raise BenchError("redis-server has not started")
            time.sleep(0.01)

    def __enter__(self) -> RedisProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()
