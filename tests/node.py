"""Node, for the tests of peers that are written for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL_SECONDS = 120


def install_ws(folder: Path) -> None:
    """Put the package ``ws`` into a folder; see `install`."""
    install(folder, "ws")


def install(folder: Path, package: str) -> None:
    """Put a package into a folder, unless Node finds one by NODE_PATH; skips the test, with the reason, where that
    cannot be.
    """
    if not shutil.which("node"):
        pytest.skip("there is no Node here")
    if subprocess.run(["node", "-e", f"require('{package}')"], cwd=folder, capture_output=True).returncode == 0:
        return
    if not shutil.which("npm"):
        pytest.skip(f"Node does not find the package {package}, and there is no npm here: set NODE_PATH")
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", package], cwd=folder, capture_output=True,
                              text=True, timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm cannot install {package}: it takes too long")
    if done.returncode != 0:
        pytest.skip(f"npm cannot install {package}: {done.stderr[-300:]}")
