"""What others' programs are made of, installed once in ``.venv-others``; where that cannot be, tests are skipped and
say why.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from .pins import Pin

PROGRAMS = Path(__file__).parent / "programs"
_FOLDER = Path(__file__).resolve().parents[2] / ".venv-others"
_INSTALL_SECONDS = 240
_GO_SOURCES = Path("/usr/share/gocode")  # where Debian's packages of Go libraries are


@lru_cache(maxsize=None)
def python_with(*pins: Pin) -> Path:
    """A Python that has packages of PyPI."""
    folder = _FOLDER / "python"
    python = folder / "bin/python"
    wanted = [f"{pin.name}=={pin.version}" for pin in pins]
    check = "import sys, importlib.metadata as m; sys.exit(any(m.version(n) != v for n, v in (p.split('==') " \
            "for p in sys.argv[1:])))"
    if not python.exists():
        _install([sys.executable, "-m", "venv", "--clear", str(folder)], "a virtual environment")
    if _failure([str(python), "-c", check, *wanted]):
        _install([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], " ".join(wanted))
    return python


@lru_cache(maxsize=None)
def node_modules(*pins: Pin) -> Path:
    """A folder in which Node finds packages of npm."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"there is no {program} here")
    folder = _FOLDER / "node"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [f"{pin.name}@{pin.version}" for pin in pins]
    if _failure(["npm", "ls", "--prefix", str(folder), *wanted]):
        _install(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *wanted], " ".join(wanted))
    return folder


@lru_cache(maxsize=None)
def go_program(name: str) -> Path:
    """A program in Go, built with the libraries that Debian packages."""
    if not shutil.which("go") or not (_GO_SOURCES / "src/github.com/gorilla/websocket").exists():
        pytest.skip("there is no Go here with gorilla/websocket: install golang-go and "
                    "golang-github-gorilla-websocket-dev")
    built = _FOLDER / "go" / name
    source = PROGRAMS / "go" / f"{name}.go"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        built.parent.mkdir(parents=True, exist_ok=True)
        _install(["env", "GO111MODULE=off", f"GOPATH={_GO_SOURCES}", f"GOCACHE={_FOLDER / 'go-cache'}", "go", "build",
                  "-o", str(built), str(source)], name)
    return built


def _install(command: list[str], what: str) -> None:
    failure = _failure(command)
    if failure:
        pytest.skip(f"{what} cannot be installed: {failure}")


def _failure(command: list[str]) -> str:
    """Run it; return why it failed, "" where it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)[-300:]
    return "" if done.returncode == 0 else (done.stderr or done.stdout)[-300:] or f"exit status {done.returncode}"
