"""A real redis-server for tests, on a port of its own; it can be killed and started again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile

import pytest

from tests.engine.harness import PATIENCE, until


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class RedisServer:
    """Runs from its making to `close`."""

    def __init__(self, is_cluster: bool = False, is_durable: bool = False) -> None:
        """`is_cluster`: a Redis Cluster of one node, which refuses what spans slots; `is_durable`: all is on disk."""
        if shutil.which("redis-server") is None:
            pytest.skip("no redis-server here: apt-get install redis-server")
        self.is_cluster = is_cluster
        self._durable = ["--appendonly", "yes", "--appendfsync", "always"] if is_durable else ["--appendonly", "no"]
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory()
        self.start()

    def start(self) -> None:
        """Run it, with what is on disk."""
        cluster = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())] if self.is_cluster else []
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--dir", self._folder.name, *self._durable, *cluster], stdout=subprocess.DEVNULL)
        until(lambda: self.command("ping") == "PONG")
        if self.is_cluster:
            self.command("cluster", "addslotsrange", "0", "16383")
            until(lambda: "cluster_state:ok" in self.command("cluster", "info"))

    def command(self, *words: str) -> str:
        """Return what redis-cli says."""
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True,
                              timeout=PATIENCE)
        return done.stdout.strip()

    def kill(self) -> None:
        """End it without any warning."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._folder.cleanup()
