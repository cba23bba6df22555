"""Where compiled code is kept, and which of it may be loaded.

The name of a folder of compiled code is a digest of everything the code depends on: the sources, the versions of
Python, Numba and LLVM, and the processor. There may be two folders: one in the virtual environment, filled by
scripts/install, and one that belongs to the user we run as. Numba's own check sees a change only in the file of the
function it compiles, not in functions inlined into it or in constants of other files; the digest covers them all.

A folder is complete when it has a list of its files with their digests, which `CodeFolder.seal` writes last: code that
was not finished, or was damaged since, is not loaded. Nor is a folder or file that another user could have written.
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
_UNUSED_SECONDS = 30 * 86400.0  # after this, code of other versions or processors may be removed


def sources() -> list[Path]:
    """Return the source files that are compiled, and those whose constants compiled code contains."""
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
    """A folder of compiled code, and the users who may have written its files. Methods read and write files."""

    def __init__(self, path: Path, owners: frozenset[int]) -> None:
        """`owners` are the ids of the users trusted to have written the files."""
        self.path = path
        self._owners = owners

    def is_complete(self) -> bool:
        """Return whether every file listed is present and undamaged, and only the owners could have written it."""
        try:
            return (all(self._is_ours(place) for place in (self.path.parent, self.path, self.path / _LIST))
                    and not any(self._damaged(self._listed())))
        except (OSError, ValueError):
            return False

    def _listed(self) -> dict[str, str]:
        """Return the listed digests by file name; raise OSError or ValueError if there is no valid list."""
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
        """Return whether the folder has code of `part`, one of `parts`."""
        return (self.path / part).is_dir()

    def seal(self, parts: set[str]) -> None:
        """Write the list of files, which declares that the code of these `parts` is complete."""
        files = [file for part in sorted(parts) for file in sorted((self.path / part).glob("*.nb[ic]"))]
        text = json.dumps({"files": {str(file.relative_to(self.path)): hashlib.sha256(file.read_bytes()).hexdigest()
                                     for file in files}}, indent=0)
        new = self.path / f".{_LIST}.{os.getpid()}"
        new.write_text(text)
        os.replace(new, self.path / _LIST)

    def clean(self) -> None:
        """Remove damaged files, and the list of files."""
        try:
            for file in self._damaged(self._listed()):
                file.unlink(missing_ok=True)
        except (OSError, ValueError):
            pass  # there is no list
        (self.path / _LIST).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder's contents."""
        shutil.rmtree(self.path, ignore_errors=True)

    def remove_others(self, unused_seconds: float = _UNUSED_SECONDS) -> None:
        """Remove sibling folders, of other versions and processors, that have not been used for that many seconds."""
        for folder in self.path.parent.iterdir():
            if folder.is_dir() and folder != self.path and time.time() - folder.stat().st_mtime >= unused_seconds:
                shutil.rmtree(folder, ignore_errors=True)


def installed() -> CodeFolder | None:
    """Return the folder that scripts/install fills, in the package's virtual environment; None if it is not in one.

    Its owners include the owner of the package: whoever can write the package can write its compiled code.
    """
    environment = next((folder for folder in PACKAGE.parents if (folder / "pyvenv.cfg").is_file()), None)
    if environment is None:
        return None
    owners = frozenset((0, os.getuid(), Path(__file__).stat().st_uid))
    return CodeFolder(environment / "compiled" / KEY, owners)


def own() -> CodeFolder | None:
    """Return the folder of the user we run as, created if missing; None if it cannot be written."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    for root in (Path(home) / _NAME, Path(tempfile.gettempdir()) / f"{_NAME}-{os.getuid()}"):
        folder = CodeFolder(root / KEY, frozenset((os.getuid(),)))
        try:
            folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            root.chmod(0o700)
            if folder._is_ours(root) and folder._is_ours(folder.path):
                return folder
        except OSError:
            pass  # not writable, or another user's
    return None


KEY = _content_key()

_read: CodeFolder | None = None  # complete; perhaps read-only
_written: CodeFolder | None = None  # for code that `_read` does not have: saved here and loaded from here
_kept: set[Callable[..., Any]] = set()
_parts: set[str] = set()


def choose() -> bool:
    """Choose the folders to load compiled code from; return False if something has still to be compiled."""
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
    """Save compiled code to this folder, and load it from no other."""
    global _read, _written
    _read, _written = None, folder


def parts() -> set[str]:
    """Return the names, for `CodeFolder`, of the source folders from which functions were compiled."""
    return set(_parts)


def keep(function: Callable[..., Any]) -> bool:
    """Have Numba save the compiled code of `function`; return False if there is no folder to save it in."""
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
    return f"{folder.name}_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"  # functions of tests


class _Locator(caching._CacheLocator):
    """Tells Numba where the compiled code of our functions is; other packages' functions are not affected."""

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
        # Numba's own implementation tries to write a file, and so would refuse a read-only folder.
        self._path.mkdir(parents=True, exist_ok=True)


_locators: list[Any] = caching.CacheImpl._locator_classes
_locators.insert(0, _Locator)
