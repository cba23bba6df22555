"""What the switch is given the address of for ever: callbacks and texts.

The switch keeps the addresses of callbacks and texts, and may use them until the process ends, however often a module
is unloaded and loaded again. So none of them is freed: those of a module that has ended are used again by the next,
and until then a callback does what is harmless.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any, Callable

from .text import encode

_lock = threading.Lock()
_callbacks: list[Callback] = []
_idle: dict[tuple[Any, str], list[Callback]] = {}
_texts: dict[bytes, ctypes.Array[ctypes.c_char]] = {}


class Callback:
    """A C function that stays; what it does changes."""

    def __init__(self, prototype: Any, name: str, target: Callable[..., Any], otherwise: Callable[..., Any]) -> None:
        """See `take`, which makes them."""
        self._key = prototype, name
        self.redirect(target, otherwise)
        self.function = prototype(self._enter)
        """For the switch."""

    def _enter(self, *arguments: Any) -> Any:
        return self._target(*arguments)

    def redirect(self, target: Callable[..., Any], otherwise: Callable[..., Any]) -> None:
        """Have it call `target`; see `take`."""
        self._target, self._otherwise = target, otherwise

    def give_back(self) -> None:
        """Have it call `otherwise` until it is taken again. Also while the switch is in it."""
        with _lock:
            self._target = self._otherwise
            _idle.setdefault(self._key, []).append(self)


def take(prototype: Any, name: str, target: Callable[..., Any], otherwise: Callable[..., Any]) -> Callback:
    """A C function of that ctypes prototype that calls `target`, and `otherwise` once it has been given back.

    Neither may raise. `name` is that under which the switch knows it: late calls never reach code of another name.
    """
    with _lock:
        idle = _idle.get((prototype, name))
        if idle:
            callback = idle.pop()
            callback.redirect(target, otherwise)
        else:
            callback = Callback(prototype, name, target, otherwise)
            _callbacks.append(callback)
    return callback


def text(value: str) -> ctypes.Array[ctypes.c_char]:
    """`value` as a C string that stays; the same text is the same memory."""
    with _lock:
        return _texts.setdefault(encode(value), ctypes.create_string_buffer(encode(value)))
