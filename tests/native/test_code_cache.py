"""Where compiled code is kept: what its key covers, and what is not loaded."""

from __future__ import annotations

import ast
import ctypes
import importlib
import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Iterator

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import freeswitch_audio_stream
from freeswitch_audio_stream.native import code_cache
from freeswitch_audio_stream.native.code_cache import CodeFolder
from freeswitch_audio_stream.native.compile_process import CompileProcess, interpreter
from freeswitch_audio_stream.realtime import core

pytestmark = pytest.mark.slow

LIMIT = 600.0  # s; compiling takes minutes on a machine with something else to do
PACKAGE = Path(freeswitch_audio_stream.__file__).parent
SITE_PACKAGES = Path(numba.__file__).parents[1]
US = frozenset((os.getuid(),))


# What the key covers


def modules() -> Iterator[ModuleType]:
    """Every module of the package but the benchmarks, which keep no compiled code, programs, and those that may know
    nothing of compiled code (see test_layers).
    """
    for found in pkgutil.walk_packages(freeswitch_audio_stream.__path__, f"{PACKAGE.name}."):
        apart = any(name in found.name for name in (".benchmarks", ".integrations", ".services"))
        if not apart and not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def compiled_functions(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Functions in a module that are compiled: natives, helpers, callbacks and code generators."""
    for value in vars(module).values():
        if isinstance(value, Dispatcher):
            yield value.py_func
        elif hasattr(value, "_pyfunc"):
            yield value._pyfunc
        elif hasattr(value, "_defn"):
            yield value._defn


def test_every_compiled_function_is_in_the_key() -> None:
    files = {Path(function.__code__.co_filename) for module in modules() for function in compiled_functions(module)}
    assert len(files) > 20
    assert {file for file in files if PACKAGE in file.parents} <= set(code_cache.sources())


CONSTANTS = (int, float, str, bytes, tuple, list, dict, set, frozenset, np.ndarray, np.generic, np.dtype)
NOT_COMPILED = {"SIGNATURES", "Carrier", "Running"}  # only functions of Python use them


def imported_constants(module: ModuleType) -> Iterator[tuple[str, Path]]:
    """What a module imports from the package that a compiled function could have in it, and the file it is from."""
    for node in ast.walk(ast.parse(Path(module.__file__ or "").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            source = importlib.import_module("." * node.level + (node.module or ""), module.__package__)
            for alias in node.names:
                value = getattr(source, alias.name)
                is_layout = isinstance(value, type) and issubclass(value, (Enum, ctypes.Structure))
                if isinstance(value, ModuleType):
                    yield alias.name, Path(value.__file__ or "")
                elif (is_layout or isinstance(value, CONSTANTS)) and alias.name not in NOT_COMPILED:
                    yield alias.name, Path(source.__file__ or "")


def test_every_constant_of_a_compiled_function_is_in_the_key() -> None:
    covered = set(code_cache.sources())
    seen = 0
    for module in modules():
        if Path(module.__file__ or "") in covered:
            for name, file in imported_constants(module):
                assert file in covered, f"{module.__name__} has {name} from {file}"
                seen += 1
    assert seen > 50


def test_another_source_has_another_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    monkeypatch.setattr(code_cache, "PACKAGE", tmp_path)
    monkeypatch.setattr(code_cache, "sources", lambda: [source])
    keys = set()
    for text in ("one", "two"):
        source.write_text(text)
        code_cache._digest.cache_clear()
        keys.add(code_cache._content_key())
    assert len(keys) == 2


def test_another_processor_has_another_key() -> None:
    code = "from freeswitch_audio_stream.native.code_cache import KEY; print(KEY)"
    keys = [subprocess.run([sys.executable, "-c", code], env=os.environ | more, check=True, capture_output=True,
                           text=True).stdout.strip() for more in ({}, {"NUMBA_CPU_NAME": "generic"})]
    assert keys[0] == code_cache.KEY != keys[1]


# What is loaded


@pytest.fixture
def folder(tmp_path: Path) -> CodeFolder:
    """A complete one, of two files."""
    made = CodeFolder(tmp_path / "root/key", US)
    (made.path / "part").mkdir(parents=True, mode=0o700)
    for name in ("f.nbi", "f.1.nbc"):
        (made.path / "part" / name).write_bytes(b"compiled code")
    made.seal({"part"})
    assert made.is_complete()
    return made


def test_what_was_not_finished_is_not_loaded(folder: CodeFolder) -> None:
    (folder.path / "complete.json").unlink()
    assert not folder.is_complete()
    assert not CodeFolder(folder.path.with_name("other"), US).is_complete()


@pytest.mark.parametrize("content", [b"", b"compiled"])
def test_what_is_damaged_is_not_loaded(folder: CodeFolder, content: bytes) -> None:
    damaged = folder.path / "part/f.1.nbc"
    damaged.write_bytes(content)
    assert not folder.is_complete()
    folder.clean()
    assert not damaged.exists() and (folder.path / "part/f.nbi").exists(), "only what is damaged is made anew"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1}', "\xff"])
def test_a_damaged_list_is_none(folder: CodeFolder, text: str) -> None:
    (folder.path / "complete.json").write_text(text, encoding="latin-1")
    assert not folder.is_complete()
    folder.clean()


@pytest.mark.parametrize("place", ["..", ".", "complete.json", "part", "part/f.nbi"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_may_write_is_not_loaded(folder: CodeFolder, place: str, mode: int) -> None:
    path = folder.path / place
    path.chmod(path.stat().st_mode | mode)
    assert not folder.is_complete()


def test_what_others_have_written_is_not_loaded(folder: CodeFolder) -> None:
    assert not CodeFolder(folder.path, frozenset((os.getuid() + 1,))).is_complete()


@pytest.mark.parametrize("place", [".", "complete.json", "part", "part/f.nbi"])
def test_links_are_not_followed(folder: CodeFolder, place: str) -> None:
    path = folder.path / place
    moved = folder.path.parent.parent / "moved"
    path.rename(moved)
    path.symlink_to(moved)
    assert not folder.is_complete()


def test_other_versions_are_removed_when_nobody_uses_them(folder: CodeFolder) -> None:
    old, used = folder.path.with_name("old"), folder.path.with_name("used")
    for other in (old, used):
        shutil.copytree(folder.path, other)
    os.utime(old, (time.time() - 31 * 86400,) * 2)
    folder.remove_others()
    assert not old.exists() and used.exists() and folder.is_complete()
    folder.remove_others(unused_seconds=0)
    assert not used.exists() and folder.is_complete()


# Compiling beside FreeSWITCH


@pytest.fixture(scope="module")
def compiled() -> CodeFolder:
    """The whole core, in our own folder."""
    python, own = interpreter(), code_cache.own()
    assert python is not None and own is not None
    assert core is not None  # it is compiled here, if anywhere, and the process finds that
    words = CompileProcess(python, own.path, code_cache.KEY).wait()
    assert own.is_complete(), words
    return own


def test_the_interpreter_is_one_with_our_packages() -> None:
    python = interpreter()
    assert python is not None
    subprocess.run([python, "-I", "-c", "import sys; assert sys.version_info[:2] == (%d, %d)" % sys.version_info[:2]],
                   check=True)


def test_what_was_damaged_is_compiled_again(compiled: CodeFolder, tmp_path: Path) -> None:
    copy = CodeFolder(tmp_path / "root" / code_cache.KEY, US)
    shutil.copytree(compiled.path, copy.path)
    damaged = next(copy.path.glob("*/libc*.nbc"), None) or next(copy.path.glob("*/rings*.nbc"))
    damaged.write_bytes(b"")
    python = interpreter()
    assert python is not None
    words = CompileProcess(python, copy.path, code_cache.KEY).wait()
    assert copy.is_complete(), words
    assert damaged.stat().st_size > 0


def test_what_an_attempt_has_left_half_written(compiled: CodeFolder, tmp_path: Path) -> None:
    """The power failed before there was a list: it begins anew. (Here the other files are put back meanwhile.)"""
    copy = CodeFolder(tmp_path / "root" / code_cache.KEY, US)
    shutil.copytree(compiled.path, copy.path)
    (copy.path / "complete.json").unlink()
    for index in copy.path.glob("*/*.nbi"):
        index.write_bytes(b"")
    python = interpreter()
    assert python is not None
    process = CompileProcess(python, copy.path, code_cache.KEY)
    deadline = time.monotonic() + LIMIT
    while any(size == 0 for size in _sizes(copy.path)):
        assert time.monotonic() < deadline, "what cannot be read is removed"
        time.sleep(0.05)
    process.end()
    process.wait()


def _sizes(folder: Path) -> Iterator[int]:
    """Those of the indices that are there: each may be removed, or put in its place, at any moment."""
    for file in list(folder.glob("*/*.nbi")):
        with suppress(FileNotFoundError):
            yield file.stat().st_size


def test_another_version_is_not_compiled_for_this_one(tmp_path: Path) -> None:
    python = interpreter()
    assert python is not None
    folder = tmp_path / "root" / "0123"
    folder.mkdir(parents=True)
    assert CompileProcess(python, folder, "0123").wait() == \
        "another version has been installed since FreeSWITCH was started: restart FreeSWITCH"


@pytest.mark.parametrize("how", ["end", "kill"])
def test_it_ends_with_freeswitch(tmp_path: Path, how: str) -> None:
    """At `end`, and however FreeSWITCH ends."""
    folder = tmp_path / "root" / code_cache.KEY
    folder.mkdir(parents=True)
    code = f"""
import sys
from pathlib import Path
from freeswitch_audio_stream.native.compile_process import CompileProcess
process = CompileProcess(Path({str(interpreter())!r}), Path({str(folder)!r}), {code_cache.KEY!r})
print(process._process.pid, flush=True)
sys.stdin.readline()
process.end()
process.wait()
print("ended", flush=True)
"""
    pipe = subprocess.PIPE
    freeswitch = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
    assert freeswitch.stdin and freeswitch.stdout
    pid = int(freeswitch.stdout.readline())
    _wait(lambda: any(folder.glob("*/*")), "it compiles")
    if how == "kill":
        freeswitch.send_signal(signal.SIGKILL)
    else:
        freeswitch.stdin.write("\n")
        freeswitch.stdin.flush()
        assert freeswitch.stdout.readline() == "ended\n"
    _wait(lambda: not _runs(pid), "it has ended")
    freeswitch.communicate()
    assert not CodeFolder(folder, US).is_complete()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


# Compiled by scripts/install

LOAD = """
import json, os, sys
uid = int(sys.argv[1])
sys.path[:0] = sys.argv[2:4]
import encodings.ascii, mmap, numpy.ma, select, numba, soxr, websocket, orjson, soundfile
numba.njit("int64(int64)")(lambda number: number)  # all of Numba: it may be where only we may read
numba.cfunc("int64(int64)")(lambda number: number)
from numba.core.dispatcher import _FunctionCompiler
compiled, compile = [], _FunctionCompiler._compile_core
def note(self, *signature):
    compiled.append(self.py_func.__qualname__)
    return compile(self, *signature)
_FunctionCompiler._compile_core = note
is_another = uid != os.getuid()
if is_another:
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
from freeswitch_audio_stream.native import code_cache
ready = code_cache.choose()
if not is_another:  # who may not even read Python, perhaps
    import freeswitch_audio_stream.module
from freeswitch_audio_stream.realtime.core import C_FUNCTIONS, Core
core = Core(dict.fromkeys(C_FUNCTIONS, 1), 2)
print(json.dumps({"ready": ready, "compiled": compiled}), flush=True)
core.stop(60)
os._exit(0)
"""


@pytest.fixture
def environment(compiled: CodeFolder) -> Iterator[Path]:
    """A virtual environment with the package in it, and with its code compiled as scripts/install has it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "pyvenv.cfg").touch()
        packages = folder / "lib/site-packages"
        shutil.copytree(PACKAGE, packages / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(compiled.path, folder / "compiled" / code_cache.KEY)
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def load(environment: Path, uid: int) -> dict[str, Any]:
    """How a process that runs as `uid`, with nowhere to write, loads the module and starts its core."""
    nowhere = {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/proc/nonexistent", "TMPDIR": "/proc"}
    arguments = str(uid), str(environment / "lib/site-packages"), str(SITE_PACKAGES)
    done = subprocess.run([sys.executable, "-I", "-c", LOAD, *arguments], env=os.environ | nowhere, cwd="/",
                          capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_code_that_is_installed_is_loaded_as_it_is(environment: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in environment.rglob("*.nb?")}
    assert load(environment, os.getuid()) == {"ready": True, "compiled": []}
    assert {path: path.stat().st_mtime_ns for path in environment.rglob("*.nb?")} == files


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_by_another_user_who_may_only_read_it(environment: Path) -> None:
    nobody = 65534
    assert load(environment, nobody) == {"ready": True, "compiled": []}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_code_that_a_third_user_has_written_is_not_installed(environment: Path) -> None:
    os.chown(next(environment.glob("compiled/*/freeswitch_audio_stream.realtime.wire/*.nbc")), 1234, 1234)
    assert not load(environment, 65534)["ready"]


def test_the_installation_compiles_into_its_environment(environment: Path) -> None:
    """Code of older versions goes; what is there for this one stays."""
    old = environment / "compiled/0123456789abcdef"
    old.mkdir()
    code = ("import runpy, sys; sys.path[:0] = sys.argv[1:]; del sys.argv[1:]; "
            "runpy.run_module('freeswitch_audio_stream.realtime.compile_core', run_name='__main__', alter_sys=True)")
    paths = str(environment / "lib/site-packages"), str(SITE_PACKAGES)
    done = subprocess.run([sys.executable, "-I", "-c", code, *paths], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("compiled in "), done.stderr
    assert not old.exists() and load(environment, os.getuid())["ready"]


def test_outside_of_an_environment_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(code_cache, "PACKAGE", tmp_path / "package")
    assert code_cache.installed() is None
