"""A real nginx with a configuration of conf/docker, where the services' names stand for servers of the test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Mapping

import pytest

from tests.engine.harness import PATIENCE, until
from tests.services.gateway.redis_server import free_port

DOCKER = Path(__file__).parents[2] / "conf" / "docker"


class Nginx:
    """Runs from its making to `close`."""

    def __init__(self, name: str, servers: Mapping[str, int], folder: Path) -> None:
        """`servers`: the port on 127.0.0.1 of each service, by its name and port (`gateway-1:3105`) in the file."""
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            pytest.skip("no nginx here: apt-get install nginx-light")
        self.port = free_port()
        file = folder / "nginx.conf"
        file.write_text(self._adapted((DOCKER / name).read_text(), servers, folder))
        self._log = folder / "nginx.log"
        # Its workers write into the test's folder, which no other user can.
        more = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        self._process = subprocess.Popen([program, "-e", str(self._log), "-c", str(file), "-g", more])
        until(lambda: (folder / "nginx.pid").exists() or self._process.poll() is not None)
        assert self._process.poll() is None, self._log.read_text()

    def _adapted(self, text: str, servers: Mapping[str, int], folder: Path) -> str:
        """Nothing but addresses and folders is another; names that are looked up again take a newer nginx than
        Debian's and Docker's resolver.
        """
        for name, port in servers.items():
            assert f"server {name}" in text
            text = text.replace(f"server {name}", f"server 127.0.0.1:{port}")
        text, listening = re.subn(r"listen \d+;", f"listen 127.0.0.1:{self.port};", text)
        assert listening == 1 and not re.search(r"server (?!127\.0\.0\.1:)[\w-]+:", text)
        text = re.sub(r"^ *resolver .*$", "", text, flags=re.MULTILINE).replace(" resolve;", ";")
        return text.replace(" /tmp/", f" {folder}/")

    def close(self) -> None:
        """End it, without waiting for the connections that it has."""
        self._process.terminate()
        self._process.wait(PATIENCE)
