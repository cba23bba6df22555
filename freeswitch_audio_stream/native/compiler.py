"""How the core is compiled: Numba's decorators, with types.

Functions are compiled, or taken from the cache (see `code_cache`), when the file that defines them is imported, never
on a media thread.
"""

from __future__ import annotations

from typing import Any, Callable, TypeVar, cast

import numba
from numba.extending import intrinsic

from ..errors import LoadingEnded
from . import code_cache
from .compile_process import loading_is_over

carray: Any = numba.carray  # type: ignore[attr-defined]
"""In compiled code: return an array view of the memory at a pointer; it owns nothing."""

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS: dict[str, Any] = {
    "nogil": True, "fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}


def _cached(function: Callable[..., Any]) -> bool:
    """Return whether Numba is to save the code; raise LoadingEnded if the module is unloading, because LLVM crashes if
    the process exits while it works.
    """
    if loading_is_over.is_set():
        raise LoadingEnded("mod_audio_stream was unloaded, or FreeSWITCH shut down, while it was being loaded")
    return code_cache.keep(function)


def native(signature: str) -> Callable[[F], F]:
    """Compile a function for `signature`, now; the GIL is released while it runs."""
    def decorate(function: F) -> F:
        return cast(F, numba.njit(signature, cache=_cached(function), **_OPTIONS)(function))
    return decorate


def native_helper(function: F) -> F:
    """Compile a function as a part of each compiled function that calls it; Python code cannot call it."""
    return cast(F, numba.njit(**_OPTIONS)(function))


def c_callback(signature: str, kept: bool = True) -> Callable[[Callable[..., Any]], Any]:
    """Compile a C-callable function; the result's ``.address`` is a pointer to it, valid while the result exists.

    One that is not `kept` in the cache is compiled anew every time.
    """
    def decorate(function: Callable[..., Any]) -> Any:
        return numba.cfunc(signature, cache=_cached(function) and kept, error_model="numpy")(function)
    return decorate


def code_generator(function: Callable[..., Any]) -> Any:
    """Make an intrinsic of a function that returns a Numba signature and a generator of LLVM instructions."""
    return intrinsic(function)
