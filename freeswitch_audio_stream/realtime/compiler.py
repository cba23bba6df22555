"""How the core is compiled: typed fronts for Numba's decorators, and where compiled code is kept.

Functions compile when they are first asked for (or all at once by `core.compile_all`), never on a media
thread. The cache is keyed by the content of all compiled folders and of what their constants come from,
because Numba itself only notices a change in the file of the function it looks at, not in the functions inlined
into it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, TypeVar, cast

import numba
from numba.extending import intrinsic

carray: Any = numba.carray  # type: ignore[attr-defined]
"""An array over memory at a pointer, in compiled code; it owns nothing."""

_began = time.monotonic()

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS: dict[str, Any] = {
    "nogil": True, "fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}


def _content_key() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    package = Path(__file__).parent.parent
    for source in sorted(package.glob("realtime/*.py")) + sorted(package.glob("simulator/*.py")) + [
            package / "protocols" / "audiosocket.py"]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> Path | None:
    """The folder for compiled code; None where nothing can be written (then it is compiled at every load)."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    name = "freeswitch_audio_stream"
    for root in (Path(home) / name, Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"):
        folder = root / _content_key()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            root.chmod(0o700)
        except OSError:
            continue  # not to be written, or somebody else's
        # Compiled code is code: it is not loaded from a folder that somebody else made, or may write to.
        if all(place.stat().st_uid == os.getuid() and not place.is_symlink() for place in (root, folder)):
            return folder
    return None


_folder = _cache_folder()
CACHED = _folder is not None
if _folder is not None:
    setattr(numba.config, "CACHE_DIR", str(_folder))


def native(signature: str) -> Callable[[F], F]:
    """Compile a function for `signature` with the GIL released while it runs."""
    def decorate(function: F) -> F:
        return cast(F, numba.njit(signature, cache=CACHED, **_OPTIONS)(function))
    return decorate


def native_helper(function: F) -> F:
    """A function for compiled callers only: typed by its first use, compiled as a part of them."""
    return cast(F, numba.njit(**_OPTIONS)(function))


def c_callback(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a C-callable function; the result's ``.address`` is its pointer, alive as long as it."""
    def decorate(function: Callable[..., Any]) -> Any:
        return numba.cfunc(signature, cache=CACHED, error_model="numpy")(function)
    return decorate


def code_generator(function: Callable[..., Any]) -> Any:
    """An intrinsic: a function that answers its signature and writes its own LLVM instructions."""
    return intrinsic(function)


def compile_seconds() -> float:
    """Seconds since the first compiled function was asked for: at the end of `core`, what compiling cost."""
    return time.monotonic() - _began
