"""Loading: from names to callables, all at once or not at all. Nothing is loaded when this file is
imported.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any, Callable, Mapping

from ..errors import MissingSymbols
from .signatures import SIGNATURES, Prototype

FILE = b"mod_audio_stream"
"""The source file that the switch names in its log and events for our calls."""

Resolver = Callable[[str], "int | None"]
"""From a symbol's name to its address; None where there is no such symbol."""


class Library:
    """The switch's functions as attributes, each a callable that releases the GIL while it runs."""

    def __init__(self, addresses: Mapping[str, int], signatures: Mapping[str, Prototype]) -> None:
        self._addresses = dict(addresses)
        for name, (result, arguments) in signatures.items():
            setattr(self, name, ctypes.CFUNCTYPE(result, *arguments)(self._addresses[name]))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} has no entry in the SIGNATURES table")

    def address(self, name: str) -> int:
        """The address of function `name`, for compiled code. Raise KeyError for a name that is not in the
        table.
        """
        return self._addresses[name]


def load(resolve: Resolver, signatures: Mapping[str, Prototype] = SIGNATURES) -> Library:
    """Look up every function of `signatures`. Raise MissingSymbols with the names of all that are not
    there.
    """
    found = {name: resolve(name) for name in signatures}
    missing = sorted(name for name, address in found.items() if not address)
    if missing:
        raise MissingSymbols(missing)
    return Library({name: address for name, address in found.items() if address}, signatures)


def process_symbols() -> Resolver:
    """The resolver for the switch that this process is: it sees what is linked into or loaded by the
    process.
    """
    process = ctypes.CDLL(None)

    def resolve(name: str) -> int | None:
        try:
            return ctypes.cast(getattr(process, name), ctypes.c_void_p).value
        except AttributeError:
            return None
    return resolve


@lru_cache(maxsize=None)
def of_this_process() -> Library:
    """The functions of the switch that this process is, found once. Raise MissingSymbols."""
    return load(process_symbols())


def where(function: str) -> tuple[bytes, bytes, int]:
    """The file, function and line that the switch writes into its log and events for a call of ours."""
    return FILE, function.encode(), 0
