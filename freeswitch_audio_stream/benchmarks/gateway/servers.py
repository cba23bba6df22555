"""The processes of a run: the gateway or the bare server, each fresh, and the load."""

from __future__ import annotations

import os
import resource
from typing import Any

import orjson

from ..child import Child
from ..errors import BenchError
from ..service_process import ServiceProcess, place
from ..switches.processes import CpuTime, Memory, cpu_time, memory
from .redis import RedisProcess

_SETTINGS = "AUDIO_STREAM_GATEWAY_"


def allow_many_connections() -> None:
    """Have the processes that are started from now on open as many files as this machine lets them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class GatewayProcess(ServiceProcess):
    """``freeswitch-audio-stream gateway`` with the agent echo."""

    signals = 2  # the second time it does not wait for sessions

    def __init__(self, callers: int, redis: RedisProcess | None = None) -> None:
        """`redis` keeps its sessions; None: they are in its memory."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        kept["REDIS_URL"] = "" if redis is None else redis.url
        self.redis = redis
        super().__init__("gateway", ["--port", 0, "--max-sessions", callers, "--max-sessions-per-tenant", callers,
                                     "--max-connections", 2 * callers + 50], kept)
        self.pids = [self.pid, *([redis.pid] if redis else ())]
        """All whose CPU the requests cost."""


class BareProcess(Child):
    """The bare handler."""

    def __init__(self, chunk_ms: int) -> None:
        super().__init__("freeswitch_audio_stream.benchmarks.gateway.bare_server", chunk_ms)
        self.pids = [self.pid]
        self.host, self.port = place(self.answer(), "the bare server")


Server = GatewayProcess | BareProcess


class Load(Child):
    """The process that is the load."""

    def __init__(self) -> None:
        super().__init__("freeswitch_audio_stream.benchmarks.gateway.load")
        self._runs = 0

    def put_on(self, server: Server, kind: str, callers: int, chunk_ms: int, seconds: float, warm: float
               ) -> dict[str, Any]:
        """Return what the load has measured, and the server's CPU (in cores) and memory meanwhile; of a gateway with
        Redis also the CPU of that.
        """
        self._runs += 1
        self.tell(orjson.dumps({"kind": kind, "host": server.host, "port": server.port, "callers": callers,
                                "chunk_ms": chunk_ms, "seconds": seconds, "warm": warm, "key": "",
                                "name": f"bench-{self._runs}"}).decode())
        resting = memory(server.pid)
        self._expect("begun")
        before = [cpu_time(pid) for pid in server.pids]
        self._expect("done")
        used = [cpu_time(pid) - earlier for pid, earlier in zip(server.pids, before)]
        full = memory(server.pid)
        result = self._result(self.answer())
        redis_cpu = sum(each.total for each in used[1:]) / result["seconds"]
        return {**result, **_costs(used[0], resting, full, result, callers), "redis_cpu": redis_cpu}

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


def _costs(used: CpuTime, resting: Memory, full: Memory, result: dict[str, Any], callers: int) -> dict[str, float]:
    return {"cpu": used.total / result["seconds"], "resident_mib": full.resident / (1 << 20),
            "kib_per_session": (full.resident - resting.resident) / 1024 / callers}
