"""Compiling in a separate process.

LLVM crashes if its process calls exit() while it works: so would FreeSWITCH, shut down while the core compiles.
A separate process can be killed at any time; its code is used once it is complete (see `code_cache`). It runs at low
priority, and none of its memory stays with FreeSWITCH. It ends when its standard input is closed, so it never
outlives FreeSWITCH.

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
"""Set when this process ends or unloads the module: from then on no function is compiled or loaded from the cache."""


def interpreter() -> Path | None:
    """Return a Python executable of this version that has our packages; None if there is none.

    Within FreeSWITCH `sys.executable` is only a guess, so candidates are checked.
    """
    return next((path for path in _interpreters() if os.access(path, os.X_OK)), None)


def _interpreters() -> Iterator[Path]:
    name = "python%d.%d" % sys.version_info[:2]
    for folder in _package_folders():
        yield from (parent / "bin/python" for parent in folder.parents if (parent / "pyvenv.cfg").is_file())
    yield from (Path(prefix) / "bin" / name for prefix in (sys.prefix, sys.base_prefix))
    if found := shutil.which(name):
        yield Path(found)


def _package_folders() -> tuple[Path, Path]:
    """Return the folders from which this package and Numba are imported."""
    numba = importlib.util.find_spec("numba")
    assert numba is not None and numba.origin is not None, "numba is a dependency"
    return PACKAGE.parent, Path(numba.origin).parent.parent


class CompileProcess:
    """A running `compile_core` process. Any thread may call `end`; only the creating thread may call `wait`."""

    def __init__(self, python: Path, folder: Path, key: str) -> None:
        """Start the process; raise OSError if that fails. `folder` and `key` are those of `code_cache`."""
        # -I: ignore PYTHON… variables set for FreeSWITCH, and its working directory.
        self._process = subprocess.Popen(
            [python, "-I", "-c", _START, *_package_folders(), "--folder", folder, "--key", key, "--until-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", start_new_session=True)

    def wait(self) -> str:
        """Block until the process has ended; return the last line of its output, which explains a failure."""
        assert self._process.stdout is not None and self._process.stdin is not None, "they are pipes"
        with self._process.stdout as output, self._process.stdin:
            lines = output.read().decode("utf-8", "replace").splitlines()
        self._process.wait()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def end(self) -> None:
        """Kill the process. Any thread; does not wait."""
        self._process.kill()
