"""Programs that tests run beside them, and what they say."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[list[str]]:
    """A program in a folder, and the lines that it says; ended by us if it does not end."""
    lines: list[str] = []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reader.start()
        try:
            yield lines
        finally:
            process.terminate()
            process.wait(30)
            reader.join()


def has_said(lines: list[str], words: str) -> bool:
    return any(words in line for line in list(lines))
