"""A real PostgreSQL for tests: Debian's programs, in a folder of its own, as a user that is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.services.gateway.redis_server import free_port

PATIENCE = 60.0


def _programs() -> Path | None:
    """The folder of the newest version's programs, which Debian has on nobody's path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class PostgresServer:
    """Runs from its making to `close`; every database in it is a fresh one."""

    def __init__(self) -> None:
        programs = _programs()
        if programs is None:
            pytest.skip("no PostgreSQL here: apt-get install postgresql")
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = names.get("postgres") or names["nobody"]
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.port = free_port()
        self._run("initdb", "--pgdata", self._data, "--username", "recorder", "--auth", "trust", "--encoding", "UTF8",
                  "--no-sync", "--locale", "C")
        self.start()

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run([self._programs / program, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE, cwd=self._folder, **self._as)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        """Run it, with what is on disk, and wait until it answers."""
        # The machine does not lose power in these tests, so nothing needs to be synced.
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} -c fsync=off -c max_connections=200"
        done = subprocess.run([self._programs / "pg_ctl", "start", "--wait", "--pgdata", self._data, "--silent",
                               "--log", str(self._folder / "log"), "--options", options], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE,
                              cwd=self._folder, **self._as)
        assert done.returncode == 0, (self._folder / "log").read_text()

    def stop(self) -> None:
        """End it as a crash does: no connection is waited for, nothing is written."""
        self._run("pg_ctl", "stop", "--pgdata", self._data, "--mode", "immediate", "--silent")

    def database(self) -> str:
        """Make a database, and return its URL."""
        name = f"recorder_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name}", "postgres")
        return f"postgresql://recorder@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, database: str) -> str:
        """Carry out a statement; return its rows."""
        return self._run("psql", "--quiet", "--tuples-only", "--no-align", "--username", "recorder", "--host",
                         "127.0.0.1", "--port", str(self.port), "--dbname", database, "--command", statement)

    def close(self) -> None:
        """End it for good."""
        self.stop()
        shutil.rmtree(self._folder)
