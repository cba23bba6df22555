"""Node, for the tests of peers that are written for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL_SECONDS = 120


def install_ws(folder: Path) -> None:
    """Put the package ``ws`` into a folder; skips the test, with the reason, where that cannot be."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("there is no Node here")
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "ws"], cwd=folder, capture_output=True,
                              text=True, timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip("npm cannot install ws: it takes too long")
    if done.returncode != 0:
        pytest.skip(f"npm cannot install ws: {done.stderr[-300:]}")
