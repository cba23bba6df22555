"""Node, for the tests of peers that are written for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL_SECONDS = 120


def install_ws(folder: Path) -> None:
    """Put the package ``ws`` into a folder, unless Node finds one by NODE_PATH; skips the test, with the reason, where
    that cannot be.
    """
    if not shutil.which("node"):
        pytest.skip("there is no Node here")
    if subprocess.run(["node", "-e", "require('ws')"], cwd=folder, capture_output=True).returncode == 0:
        return
    if not shutil.which("npm"):
        pytest.skip("Node does not find the package ws, and there is no npm here: set NODE_PATH")
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "ws"], cwd=folder, capture_output=True,
                              text=True, timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip("npm cannot install ws: it takes too long")
    if done.returncode != 0:
        pytest.skip(f"npm cannot install ws: {done.stderr[-300:]}")
