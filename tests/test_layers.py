"""The house: which layer a file belongs to, and what it may import. Read from the source, not run.

A layer imports only what stands before it. Files that must not know each other within a layer, modules of others that
only one place may use, and folders that have outgrown one screen are named here, each with its reason.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Iterator

import pytest

PACKAGE = Path(__file__).parent.parent / "freeswitch_audio_stream"

# From the bottom to the top. A unit is a module or a folder directly in the package.
LAYERS = ("integrations", "errors", "audio", "threads", "running_clock", "native", "protocols", "config", "commands",
          "realtime", "transports", "switch", "engine", "web", "http_api", "interface", "module", "loader", "services",
          "simulator", "testing", "benchmarks", "soak", "demo", "__main__")

# What stands before, and yet must not be known: the reasons are what the layers are for.
FORBIDDEN = {
    "native": {"threads"},
    "protocols": {"threads", "running_clock", "native"},                     # pure: no thread, nothing compiled
    "config": {"threads", "running_clock", "native"},
    "commands": {"threads", "running_clock", "native"},
    "transports": {"audio", "native", "protocols", "config", "commands", "realtime"},  # bytes, not their meaning
    "switch": {"native", "protocols", "config", "commands", "realtime", "transports"},
    "engine": {"native", "switch"},                         # any switch will do: the simulator's, too
    "web": {"native", "protocols", "commands", "realtime", "transports", "switch", "engine"},
    "http_api": {"native", "realtime", "switch"},
    "interface": {"native", "realtime", "transports", "engine", "web", "http_api"},  # before compiling
    "services": {"native", "commands", "realtime", "transports", "switch", "engine", "http_api", "interface", "module",
                 "loader"},
    "simulator": {"protocols", "config", "commands", "realtime", "transports", "engine", "web", "http_api", "interface",
                  "module", "loader", "services"},
    "testing": {"module", "loader", "engine", "realtime", "native"},  # it runs FreeSWITCH, and is not run in it
}

# Modules of the standard library and others: who alone may use them.
ONLY = {
    "ctypes": {"native", "switch", "simulator", "transports", "benchmarks"},  # the borders: FreeSWITCH, OpenSSL, Speex
    "numba": {"native", "realtime", "simulator", "module", "benchmarks"},
    "llvmlite": {"native"},
    "websocket": {"transports"},
    "websockets": {"services", "testing", "soak"},
    "h11": {"transports", "web", "http_api", "services", "soak"},
    **dict.fromkeys(("fastapi", "fastapi_offline", "starlette", "uvicorn"), {"web", "http_api", "services"}),
    "pydantic": {"web", "http_api", "services", "testing"},
    **dict.fromkeys(("openai", "azure", "deepgram", "google"), {"testing"}),  # oracles of protocols, never clients
    "httpx": {"services"},
    "pipecat": {"integrations"},
    "jwt": {"http_api"},
    "redis": {"services"},
    **dict.fromkeys(("sqlalchemy", "asyncpg", "alembic", "obstore", "procrastinate"), {"services"}),
    "freeswitch": set(),
}
PURE = {"errors", "audio", "protocols", "config", "commands"}
IMPURE_MODULES = {"asyncio", "random", "secrets", "select", "selectors", "socket", "ssl", "subprocess", "threading",
                  "time"}

MODULES_ON_ONE_SCREEN = 15
LARGE_FOLDERS: dict[str, str] = {}
"""Folders with more modules than fit on one screen, and why they are not cut."""


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


SOURCES = _sources()


def _name(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def _unit(file: Path) -> str:
    """``engine`` of ``engine/stream.py``, ``audio`` of ``audio.py``, "" of the package's own file."""
    first = file.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


@lru_cache(maxsize=None)
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


def _imports(file: Path) -> Iterator[tuple[str, int]]:
    """The dotted names a file imports, absolute, and their lines; wherever in the file, and for types too."""
    here = [PACKAGE.name, *file.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[:len(here) - node.level + 1] if node.level else []
            module = [*base, *(node.module or "").split(".")]
            for alias in node.names:
                yield ".".join([*filter(None, module), alias.name]), node.lineno


def _file_of(name: str) -> Path | None:
    """The file of ours that importing a dotted name runs last; None for what is not ours."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        return None
    for end in range(len(parts), 0, -1):
        place = PACKAGE.joinpath(*parts[1:end])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if end > 1 and file.exists():
                return file
    return PACKAGE / "__init__.py"


def _files_used(file: Path) -> dict[Path, int]:
    """The files of ours that a file imports, and the line of one such import."""
    used = ((_file_of(name), line) for name, line in _imports(file))
    return {other: line for other, line in used if other is not None and other != file}


def _rank(unit: str) -> int:
    return LAYERS.index(unit) if unit else -1


def test_every_unit_has_a_layer() -> None:
    assert {_unit(file) for file in SOURCES} - {""} <= set(LAYERS)


def test_the_package_itself_imports_nothing_of_its_own() -> None:
    assert _files_used(PACKAGE / "__init__.py") == {}


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_imports_go_down(file: Path) -> None:
    unit = _unit(file)
    used = {(_unit(other), line) for other, line in _files_used(file).items()} if unit else set()
    wrong = [f"line {line}: {unit} imports {other}" for other, line in sorted(used)
             if other != unit and (_rank(other) > _rank(unit) or other in FORBIDDEN.get(unit, ()))]
    assert wrong == []


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {file: set(_files_used(file)) for file in SOURCES}
    # Whoever imports nothing that is left cannot be part of a circle: take them away until nobody goes.
    while free := {file for file, used in graph.items() if not used & graph.keys()}:
        graph = {file: used for file, used in graph.items() if file not in free}
    while roots := {file for file in graph if not any(file in used for used in graph.values())}:
        graph = {file: used for file, used in graph.items() if file not in roots}
    assert {_name(file): sorted(_name(other) for other in used & graph.keys()) for file, used in graph.items()} == {}


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_borders_are_crossed_in_one_place(file: Path) -> None:
    unit = _unit(file)
    used = {(name.partition(".")[0], line) for name, line in _imports(file)}
    wrong = [f"line {line}: {unit} imports {name}" for name, line in used
             if unit not in ONLY.get(name, {unit}) or unit in PURE and name in IMPURE_MODULES]
    assert wrong == []


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_")


def _private_names(file: Path) -> set[str]:
    """The private names that a file defines: functions, classes, variables, attributes, fields."""
    names: set[str] = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return {name for name in names if _is_private(name)}


@lru_cache(maxsize=1)
def _all_private_names() -> dict[Path, set[str]]:
    return {file: _private_names(file) for file in SOURCES}


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_privates_stay_in_their_package(file: Path) -> None:
    private = _all_private_names()
    own = set().union(*(names for other, names in private.items() if other.parent == file.parent))
    foreign = set().union(*private.values()) - own
    taken = [(name.rpartition(".")[2], line) for name, line in _imports(file)]
    taken += [(node.attr, node.lineno) for node in ast.walk(_tree(file)) if isinstance(node, ast.Attribute)]
    wrong = [f"line {line}: {name}" for name, line in taken if _is_private(name) and name in foreign]
    assert wrong == []


def test_folders_fit_on_one_screen() -> None:
    sizes = Counter(file.parent for file in SOURCES if file.name != "__init__.py")
    large = {str(folder.relative_to(PACKAGE)) for folder, size in sizes.items() if size > MODULES_ON_ONE_SCREEN}
    assert large == set(LARGE_FOLDERS)


def _listed(file: Path) -> list[str]:
    """The files and folders that a package's docstring lists, one or more at the beginning of a line."""
    lines = (ast.get_docstring(_tree(file), clean=False) or "").splitlines()
    begun = (re.match(r"    ((?:\w+(?:\.py|/),? )+)", line) for line in lines)
    return [name.strip(" ,") for match in begun if match for name in match[1].split()]


def _contents(folder: Path) -> set[str]:
    return ({file.name for file in folder.glob("*.py")} - {"__init__.py", "__main__.py"}
            | {f"{package.parent.name}/" for package in folder.glob("*/__init__.py")})


@pytest.mark.parametrize("file", [file for file in SOURCES if file.name == "__init__.py" and _listed(file)], ids=_name)
def test_a_list_of_files_is_true(file: Path) -> None:
    listed = _listed(file)
    assert sorted(set(listed)) == sorted(listed)
    assert set(listed) - {"__main__.py"} == _contents(file.parent)
