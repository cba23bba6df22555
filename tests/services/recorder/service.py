"""A recorder as a process of its own, as its users start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 60.0


class Recorder:
    """Started at once; `kill` is SIGKILL, and `stop` as an operator does it."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        command = [sys.executable, "-m", "freeswitch_audio_stream", "recorder", "--port", "0", "--audio-storage-path",
                   str(folder), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
                                        env={**os.environ, **variables})
        self.told: list[str] = []
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=lambda: self.told.extend(self.process.stderr or ()))
        self._reader.start()
        line = self.process.stdout.readline()
        assert line.startswith("listening on http"), "".join(self.told)
        self.address = line.split("//")[1].strip()

    def ws(self, path: str = "") -> str:
        return f"ws://{self.address}/api/ws/audio{path}"

    def request(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
        request = urllib.request.Request(f"http://{self.address}{path}", method=method,
                                         headers={name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers

    def json(self, path: str, method: str = "GET") -> Any:
        status, body, _ = self.request(path, method)
        assert status == 200, body
        return json.loads(body)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)
        assert self.process.returncode == 0 and not any("defect" in line for line in self.told), self.told

    def _end(self, number: int) -> None:
        if self.process.returncode is not None:
            return  # it has ended already
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
