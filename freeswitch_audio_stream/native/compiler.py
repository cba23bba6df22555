"""How the core is compiled: typed fronts for Numba's decorators.

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
"""An array over memory at a pointer, in compiled code; it owns nothing."""

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS: dict[str, Any] = {
    "nogil": True, "fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}


def _cached(function: Callable[..., Any]) -> bool:
    """Whether Numba is to keep its code. Raises LoadingEnded: LLVM does not survive an exit() while it works."""
    if loading_is_over.is_set():
        raise LoadingEnded("mod_audio_stream was unloaded, or FreeSWITCH shut down, while it was being loaded")
    return code_cache.keep(function)


def native(signature: str) -> Callable[[F], F]:
    """Compile a function for `signature` with the GIL released while it runs."""
    def decorate(function: F) -> F:
        return cast(F, numba.njit(signature, cache=_cached(function), **_OPTIONS)(function))
    return decorate


def native_helper(function: F) -> F:
    """A function for compiled callers only: typed by its first use, compiled as a part of them."""
    return cast(F, numba.njit(**_OPTIONS)(function))


def c_callback(signature: str, kept: bool = True) -> Callable[[Callable[..., Any]], Any]:
    """Compile a C-callable function; the result's ``.address`` is its pointer, alive as long as it.

    One that is not `kept` in the cache is compiled anew every time.
    """
    def decorate(function: Callable[..., Any]) -> Any:
        return numba.cfunc(signature, cache=_cached(function) and kept, error_model="numpy")(function)
    return decorate


def code_generator(function: Callable[..., Any]) -> Any:
    """An intrinsic: a function that answers its signature and writes its own LLVM instructions."""
    return intrinsic(function)
