"""Compiling in a process of its own, beside the one that takes calls.

LLVM does not survive an exit() of its process while it works: FreeSWITCH, shut down while it compiles, would crash.
A process of its own may be ended at any time; what it leaves is used when it is complete (see `code_cache`). It runs
behind everything else, and none of its memory stays with FreeSWITCH. It ends when its standard input does, so however
FreeSWITCH ends, it does not outlive it.

This file imports neither Numba nor anything that is compiled.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Iterator

PACKAGE = Path(os.path.abspath(__file__)).parent.parent
_PROGRAM = "freeswitch_audio_stream.realtime.compile_core"
_START = ("import runpy, sys; sys.path[:0] = sys.argv[1:3]; del sys.argv[1:3]; "
          f"runpy.run_module({_PROGRAM!r}, run_name='__main__', alter_sys=True)")

loading_is_over = threading.Event()
"""Set when this process ends or unloads us: no function is compiled or taken from the cache from now on."""


def interpreter() -> Path | None:
    """A Python of this version with our packages; in FreeSWITCH, `sys.executable` is a guess. None: there is none."""
    return next((path for path in _interpreters() if os.access(path, os.X_OK)), None)


def _interpreters() -> Iterator[Path]:
    name = "python%d.%d" % sys.version_info[:2]
    for folder in _package_folders():
        yield from (parent / "bin/python" for parent in folder.parents if (parent / "pyvenv.cfg").is_file())
    yield from (Path(prefix) / "bin" / name for prefix in (sys.prefix, sys.base_prefix))
    if found := shutil.which(name):
        yield Path(found)


def _package_folders() -> tuple[Path, Path]:
    """Where this package is found, and where Numba is."""
    numba = importlib.util.find_spec("numba")
    assert numba is not None and numba.origin is not None, "numba is a dependency"
    return PACKAGE.parent, Path(numba.origin).parent.parent


class CompileProcess:
    """A running `compile_core`. `end` may be called on any thread, the others on the one that made it."""

    def __init__(self, python: Path, folder: Path, key: str) -> None:
        """Start it; raises OSError. `folder` and `key` are those of `code_cache`."""
        # -I: what is set for FreeSWITCH's Python, and the folder it runs in, are not for this one.
        self._process = subprocess.Popen(
            [python, "-I", "-c", _START, *_package_folders(), "--folder", folder, "--key", key, "--until-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", start_new_session=True)

    def wait(self) -> str:
        """Wait for its end; its last words, which are of interest if the code is not there."""
        assert self._process.stdout is not None and self._process.stdin is not None, "they are pipes"
        with self._process.stdout as output, self._process.stdin:
            lines = output.read().decode("utf-8", "replace").splitlines()
        self._process.wait()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def end(self) -> None:
        """End it at once."""
        self._process.kill()
