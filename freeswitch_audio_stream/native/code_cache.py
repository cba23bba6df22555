"""Where compiled code is kept, and which of it may be loaded.

A folder of compiled code is named after everything the code depends on: the sources, the versions of Python, Numba
and LLVM, and the processor. There may be two: one that scripts/install has filled, in the virtual environment, and one
of our own user's. Numba notices a change in the file of the function it compiles, not in those inlined into it or in
constants from elsewhere, so the name of the folder covers all of them.

A folder is complete when it has a list of its files with their digests, which `CodeFolder.seal` writes last: what was
begun and not finished, or was damaged since, is not loaded. Compiled code is code: a folder or a file that somebody
else could have written is not loaded either.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Iterator

import llvmlite
import numba
from numba.core import caching
from numba.core.registry import cpu_target

PACKAGE = Path(os.path.abspath(__file__)).parent.parent
_NAME = "freeswitch_audio_stream"
_LIST = "complete.json"
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_UNUSED_SECONDS = 30 * 86400.0  # after this, code of other versions or processors is not needed any more


def sources() -> list[Path]:
    """The files that are compiled, and those that constants of compiled code come from."""
    constants = ("audio.py", "protocols/audiosocket.py", "switch/constants.py", "switch/layouts.py")
    return sorted({*PACKAGE.glob("native/**/*.py"), *PACKAGE.glob("realtime/**/*.py"),
                   *PACKAGE.glob("simulator/**/*.py"),
                   *(PACKAGE / name for name in constants)})


def _content_key() -> str:
    processor = cpu_target.target_context.codegen().magic_tuple()
    versions = sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, processor
    digest = hashlib.sha256(repr(versions).encode())
    for source in sources():
        digest.update(b"%s\0%s\0" % (str(source.relative_to(PACKAGE)).encode(), _digest(source).encode()))
    return digest.hexdigest()[:16]


@lru_cache(maxsize=None)
def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


class CodeFolder:
    """A folder of compiled code, and who may have written what is in it."""

    def __init__(self, path: Path, owners: frozenset[int]) -> None:
        """`owners` are user ids."""
        self.path = path
        self._owners = owners

    def is_complete(self) -> bool:
        """Whether everything is there as it was written, and nobody else could have written it."""
        try:
            return (all(self._is_ours(place) for place in (self.path.parent, self.path, self.path / _LIST))
                    and not any(self._damaged(self._listed())))
        except (OSError, ValueError):
            return False

    def _listed(self) -> dict[str, str]:
        """Names and digests; raises OSError or ValueError where there is no such list."""
        found = json.loads((self.path / _LIST).read_text())
        files = found.get("files") if isinstance(found, dict) else None
        if not isinstance(files, dict):
            raise ValueError(f"{_LIST} is no list of files")
        return files

    def _damaged(self, files: dict[str, str]) -> Iterator[Path]:
        for name, digest in files.items():
            file = self.path / name
            if not (file.is_file() and self._is_ours(file) and self._is_ours(file.parent)
                    and hashlib.sha256(file.read_bytes()).hexdigest() == digest):
                yield file

    def _is_ours(self, path: Path) -> bool:
        found = path.lstat()
        return (found.st_uid in self._owners and not found.st_mode & _OTHERS_MAY_WRITE
                and not stat.S_ISLNK(found.st_mode))

    def has(self, part: str) -> bool:
        """Whether it holds code of a folder of sources."""
        return (self.path / part).is_dir()

    def seal(self, parts: set[str]) -> None:
        """Note that the code of these folders of sources is complete."""
        files = [file for part in sorted(parts) for file in sorted((self.path / part).glob("*.nb[ic]"))]
        text = json.dumps({"files": {str(file.relative_to(self.path)): hashlib.sha256(file.read_bytes()).hexdigest()
                                     for file in files}}, indent=0)
        new = self.path / f".{_LIST}.{os.getpid()}"
        new.write_text(text)
        os.replace(new, self.path / _LIST)

    def clean(self) -> None:
        """Remove what is damaged, and the list with it."""
        try:
            for file in self._damaged(self._listed()):
                file.unlink(missing_ok=True)
        except (OSError, ValueError):
            pass  # there is no list
        (self.path / _LIST).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def remove_others(self, unused_seconds: float = _UNUSED_SECONDS) -> None:
        """Remove code of other versions and processors that nobody has loaded for so long."""
        for folder in self.path.parent.iterdir():
            if folder.is_dir() and folder != self.path and time.time() - folder.stat().st_mtime >= unused_seconds:
                shutil.rmtree(folder, ignore_errors=True)


def installed() -> CodeFolder | None:
    """The folder for scripts/install, in the virtual environment that the package lies in; None outside of any.

    Whoever may write the package may write its compiled code.
    """
    environment = next((folder for folder in PACKAGE.parents if (folder / "pyvenv.cfg").is_file()), None)
    if environment is None:
        return None
    owners = frozenset((0, os.getuid(), Path(__file__).stat().st_uid))
    return CodeFolder(environment / "compiled" / KEY, owners)


def own() -> CodeFolder | None:
    """The folder of the user we run as, made where it is not there; None where nothing can be written."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    for root in (Path(home) / _NAME, Path(tempfile.gettempdir()) / f"{_NAME}-{os.getuid()}"):
        folder = CodeFolder(root / KEY, frozenset((os.getuid(),)))
        try:
            folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            root.chmod(0o700)
            if folder._is_ours(root) and folder._is_ours(folder.path):
                return folder
        except OSError:
            pass  # not to be written, or somebody else's
    return None


KEY = _content_key()

_read: CodeFolder | None = None  # complete, and may not be ours to write to
_written: CodeFolder | None = None  # where code goes, and comes from, that the other folder does not have
_kept: set[Callable[..., Any]] = set()
_parts: set[str] = set()


def choose() -> bool:
    """Decide where compiled code comes from; False where something has yet to be compiled."""
    global _read, _written
    ready, _written = installed(), own()
    _read = ready if ready is not None and ready.is_complete() else None
    if _read is not None:
        return True
    if _written is None or not _written.is_complete():
        return False
    os.utime(_written.path)  # it is in use: see `remove_others`
    return True


def use(folder: CodeFolder) -> None:
    """Have code compiled into this folder, and taken from no other."""
    global _read, _written
    _read, _written = None, folder


def parts() -> set[str]:
    """The folders of sources that functions were compiled from, as `CodeFolder` names them."""
    return set(_parts)


def keep(function: Callable[..., Any]) -> bool:
    """Have the compiled code of a function kept; False where nothing can be."""
    if _read is None and _written is None:
        choose()
    folder = _folder_of(_part(Path(function.__code__.co_filename)))
    if folder is not None:
        _kept.add(function)
    return folder is not None


def _folder_of(part: str) -> CodeFolder | None:
    return _read if _read is not None and _read.has(part) else _written


def _part(file: Path) -> str:
    folder = Path(os.path.abspath(file)).parent
    if folder == PACKAGE or PACKAGE in folder.parents:
        return ".".join((_NAME, *folder.relative_to(PACKAGE).parts))
    return f"{folder.name}_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"  # the tests'


class _Locator(caching._CacheLocator):
    """Tells Numba where the code of our functions is; those of others go where they would go without us."""

    def __init__(self, function: Callable[..., Any], file: Path, folder: CodeFolder) -> None:
        self._file = file
        self._line = function.__code__.co_firstlineno
        self._path = folder.path / _part(file)
        _parts.add(self._path.name)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator | None:
        folder = _folder_of(_part(Path(py_file))) if py_func in _kept else None
        return None if folder is None else cls(py_func, Path(py_file), folder)

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return _digest(self._file)

    def get_disambiguator(self) -> str:
        return str(self._line)

    def ensure_cache_path(self) -> None:
        # Called before code is saved; Numba's own also tries to write, and refuses a folder that we may only read.
        self._path.mkdir(parents=True, exist_ok=True)


_locators: list[Any] = caching.CacheImpl._locator_classes
_locators.insert(0, _Locator)
