"""The layers of the design: what a module may import is what stands below it. Read from the source, not
run."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest

PACKAGE = Path(__file__).parent.parent / "freeswitch_audio_stream"

# From the bottom to the top. A unit is a module or a folder directly in the package; units of one layer may
# use each other, but for what FORBIDDEN says.
LAYERS = (
    ("errors", "audio", "threads"),
    ("config", "commands", "protocols"),
    ("realtime",),
    ("transports",),
    ("switch",),
    ("engine",),
    ("interface", "module", "loader", "simulator", "servers", "media_server"),
    ("live",),
    ("benchmarks", "demo"),
    ("__main__",),
)

FORBIDDEN = {
    "errors": {"audio", "threads"},
    "audio": {"threads"},
    "config": {"threads"},
    "commands": {"threads"},
    "protocols": {"threads"},
    "transports": {"audio", "config", "commands", "protocols", "realtime"},
    "switch": {"config", "commands", "protocols", "transports"},
    "engine": {"switch"},
    "interface": {"realtime", "transports", "engine", "module", "loader", "simulator", "servers", "media_server"},
    "module": {"loader", "simulator", "servers"},
    "loader": {"simulator", "servers"},
    "simulator": {"interface", "module", "loader", "servers", "media_server", "engine", "transports", "protocols"},
    "servers": {"module", "loader", "simulator", "switch", "media_server"},
    "media_server": {"module", "loader", "simulator", "servers", "switch"},
}

# Modules of the standard library and others: who alone may use them, and who may not.
ONLY = {
    "ctypes": {"switch", "simulator", "transports", "benchmarks"},  # the borders: FreeSWITCH, OpenSSL, and Speex
    "numba": {"realtime", "simulator", "module", "benchmarks"},
    "llvmlite": {"realtime", "simulator"},
    "websocket": {"transports"},
    "websockets": {"servers"},
    **dict.fromkeys(("fastapi", "h11", "jwt", "pydantic", "starlette", "uvicorn"), {"media_server"}),
    "freeswitch": set(),
}
PURE = {"errors", "audio", "config", "commands", "protocols"}
IMPURE_MODULES = {"asyncio", "random", "secrets", "select", "selectors", "socket", "ssl", "subprocess",
                  "threading",
                  "time"}


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _unit(file: Path) -> str:
    """``engine`` of ``engine/stream.py``, ``audio`` of ``audio.py``, "" of the package's own file."""
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py").replace("__init__", "")


def _imports(file: Path) -> Iterator[tuple[str, int]]:
    """The dotted names a file imports, absolute, and their lines; wherever in the file, and for types too."""
    here = [PACKAGE.name, *file.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[:len(here) - node.level + 1] if node.level else []
            module = [*base, *(node.module or "").split(".")]
            for alias in node.names:
                yield ".".join([*filter(None, module), alias.name]), node.lineno


def _units_used(file: Path) -> Iterator[tuple[str, int]]:
    """The other units of the package a file imports; "" is the package's own file."""
    units = {unit for layer in LAYERS for unit in layer}
    for name, line in _imports(file):
        package, _, rest = name.partition(".")
        if package == PACKAGE.name:
            unit = rest.partition(".")[0]
            if unit != _unit(file):
                yield unit if unit in units else "", line


def _rank(unit: str) -> int:
    return next((number for number, layer in enumerate(LAYERS) if unit in layer), len(LAYERS))


def test_every_unit_has_a_layer() -> None:
    assert {_unit(file) for file in _sources()} - {""} <= {unit for layer in LAYERS for unit in layer}


def test_the_package_itself_imports_nothing_of_its_own() -> None:
    assert list(_units_used(PACKAGE / "__init__.py")) == []


@pytest.mark.parametrize("file", _sources(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_go_down(file: Path) -> None:
    unit = _unit(file)
    wrong = [f"line {line}: {unit} imports {used}" for used, line in _units_used(file)
             if used and (_rank(used) > _rank(unit) or used in FORBIDDEN.get(unit, ()))]
    assert wrong == []


@pytest.mark.parametrize("file", _sources(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_borders_are_crossed_in_one_place(file: Path) -> None:
    unit = _unit(file)
    used = {(name.partition(".")[0], line) for name, line in _imports(file)}
    wrong = [f"line {line}: {unit} imports {name}" for name, line in used
             if unit not in ONLY.get(name, {unit}) or unit in PURE and name in IMPURE_MODULES]
    assert wrong == []
