"""Compiling for the benchmark alone: the cache of the product's code does not watch these files."""

from __future__ import annotations

from typing import Any, Callable, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def fresh_native(signature: str) -> Callable[[F], F]:
    """As `realtime.compiler.native`, compiled anew in every process."""
    def decorate(function: F) -> F:
        return cast(F, numba.njit(signature, nogil=True, error_model="numpy")(function))
    return decorate


def fresh_callback(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """As `realtime.compiler.c_callback`, compiled anew; what the function closes over becomes constants."""
    def decorate(function: Callable[..., Any]) -> Any:
        return numba.cfunc(signature, error_model="numpy")(function)
    return decorate
