"""The processes of a run: the recorder or the bare sink, each fresh, and the load."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from ..child import Child
from ..errors import BenchError
from ..service_process import ServiceProcess, place
from ..switches.processes import cpu_time, memory

MOST_SESSIONS = 2000


class RecorderProcess(ServiceProcess):
    """``freeswitch-audio-stream recorder``, with its recordings in `folder`."""

    end_seconds = 60.0

    def __init__(self, folder: Path, sync: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RECORDER_")}
        super().__init__("recorder", [
            "--port", 0, "--audio-storage-path", folder, "--max-concurrent-sessions", MOST_SESSIONS, "--sync", sync,
            "--connection-timeout-seconds", 86_400, "--ffmpeg-loglevel", "fatal"], kept, folder)


class SinkProcess(Child):
    """The bare sink."""

    def __init__(self, folder: Path) -> None:
        super().__init__("freeswitch_audio_stream.benchmarks.recorder.bare_sink", folder / "sink")
        self.host, self.port = place(self.answer(), "the bare sink")


Server = RecorderProcess | SinkProcess


class Load(Child):
    """The process that is the load."""

    def __init__(self) -> None:
        super().__init__("freeswitch_audio_stream.benchmarks.recorder.load")

    def put_on(self, server: Server, **order: Any) -> dict[str, Any]:
        """Return what the load has measured, and the CPU (in cores) and memory of the server and its children
        meanwhile. `order` is what `load` takes, but for host and port.
        """
        self.tell(orjson.dumps({"host": server.host, "port": server.port, "file": "", "query": "", **order}).decode())
        resting = memory(server.pid).resident
        self._expect("begun")
        before = _cpu(server.pid)
        self._expect("done")
        after = _cpu(server.pid)
        full = {pid: memory(pid).resident for pid in after}
        result = self._result(self.answer())
        used = sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())
        return {**result, "cpu": used / result["seconds"], "own_cpu": (
            after[server.pid] - before[server.pid]) / result["seconds"], "resident_mib": sum(full.values()) / (1 << 20),
            "kib_per_session": (full[server.pid] - resting) / 1024 / order["clients"]}

    def _expect(self, word: str) -> None:
        line = self.answer()
        if line != word:
            self._result(line)
            raise BenchError(f"the load has said {line!r}")

    @staticmethod
    def _result(line: str) -> dict[str, Any]:
        result: dict[str, Any] = orjson.loads(line)
        if "error" in result:
            raise BenchError(f"the load cannot be put on the server: {result['error']}")
        return result


def _cpu(pid: int) -> dict[int, float]:
    """Seconds of CPU of a process and of its children that are there."""
    children = " ".join(file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return {one: cpu_time(one).total for one in (pid, *map(int, children))}
