"""pipecat, for the tests of servers that are made of it: in a virtual environment of its own.

It wants other versions of libraries that we have ourselves, and half a gigabyte; ``.venv-pipecat`` is made once.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[1] / ".venv-pipecat"
_PACKAGES = ("pipecat-ai[websocket]>=1.14", "fastapi", "uvicorn")
_INSTALL_SECONDS = 600


@lru_cache(maxsize=None)
def pipecat_python() -> Path:
    """A Python that has pipecat; skips the test, with the reason, where that cannot be had."""
    python = _FOLDER / "bin/python"
    if _run([str(python), "-c", "import pipecat.transports.websocket.fastapi"]) == "":
        return python
    for command in ([sys.executable, "-m", "venv", "--clear", str(_FOLDER)],
                    [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *_PACKAGES]):
        failure = _run(command)
        if failure:
            pytest.skip(f"pipecat cannot be installed: {failure}")
    return python


def _run(command: list[str]) -> str:
    """Run it; return why it failed, "" where it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr[-300:] or f"exit status {done.returncode}"
