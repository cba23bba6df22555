"""Real redis-servers for tests, on ports of their own: one that can be killed and started again, and a cluster."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from typing import Sequence

import pytest

from tests.engine.harness import PATIENCE, until


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class RedisServer:
    """Runs from its making to `close`."""

    is_cluster = False

    def __init__(self, is_durable: bool = False, options: Sequence[str] = ()) -> None:
        """`is_durable`: all is on disk before it is answered."""
        if shutil.which("redis-server") is None:
            pytest.skip("no redis-server here: apt-get install redis-server")
        durable = ["--appendonly", "yes", "--appendfsync", "always"] if is_durable else ["--appendonly", "no"]
        self._options = [*durable, *options]
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory()
        self.start()

    def start(self) -> None:
        """Run it, with what is on disk."""
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--dir", self._folder.name, *self._options], stdout=subprocess.DEVNULL)
        until(lambda: self.command("ping") == "PONG")

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


class RedisCluster:
    """A Redis Cluster of three nodes, each of which has a third of the slots, and refuses what spans them."""

    is_cluster = True
    _SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))

    def __init__(self) -> None:
        self._buses = [free_port() for _ in self._SLOTS]
        self._nodes = [RedisServer(options=("--cluster-enabled", "yes", "--cluster-port", str(bus)))
                       for bus in self._buses]
        self.url = self._nodes[0].url
        for node, slots in zip(self._nodes, self._SLOTS):
            node.command("cluster", "addslotsrange", *map(str, slots))
        for node, bus in zip(self._nodes[1:], self._buses[1:]):
            self._nodes[0].command("cluster", "meet", "127.0.0.1", str(node.port), str(bus))
        until(lambda: all("cluster_state:ok" in node.command("cluster", "info") for node in self._nodes))

    def close(self) -> None:
        """End it for good."""
        for node in self._nodes:
            node.close()
