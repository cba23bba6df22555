"""The C library that the embedded switch is: an address for every name in the SIGNATURES table.

The media path is compiled code. The rest are Python functions behind C function pointers: they take the
GIL, as nothing on a media thread may, and no exception leaves them.
"""

from __future__ import annotations

import ctypes
import traceback
from typing import Any, Callable, Iterable, Mapping

from ..switch.constants import Status
from ..switch.signatures import SIGNATURES
from . import bugs, media
from .locks import C

COMPILED: Mapping[str, Any] = {
    "switch_core_media_bug_read": bugs.bug_read,
    "switch_core_media_bug_remove": bugs.bug_remove,
    "switch_core_media_bug_get_write_replace_frame": bugs.get_write_replace_frame,
    "switch_core_media_bug_set_write_replace_frame": bugs.set_write_replace_frame,
    "switch_core_session_get_read_impl": media.get_read_impl,
    "switch_core_session_get_write_impl": media.get_write_impl,
    "switch_core_session_write_frame": media.write_frame,
    "switch_channel_get_state": media.get_state,
    "switch_channel_get_cause": media.get_cause,
    "switch_channel_test_ready": media.test_ready,
}

# What is a lock of the threads library here may be used with its functions.
FROM_LIBC = {
    "malloc": "malloc",
    "free": "free",
    "switch_mutex_lock": "pthread_mutex_lock",
    "switch_mutex_unlock": "pthread_mutex_unlock",
    "switch_thread_rwlock_unlock": "pthread_rwlock_unlock",
}


def library(functions: Mapping[str, Callable[..., Any]]) -> tuple[dict[str, int], list[object]]:
    """Addresses of the whole library, `functions` being its Python part; and what must live as long as they
    do.
    """
    addresses = {name: function.address for name, function in COMPILED.items()}
    for name, symbol in FROM_LIBC.items():
        addresses[name] = _address(getattr(C, symbol))
    kept: list[object] = []
    for name, function in functions.items():
        callback = _prototype(name)(_guarded(name, function))
        kept.append(callback)
        addresses[name] = _address(callback)
    return addresses, kept


def texts(values: Iterable[bytes]) -> dict[bytes, int]:
    """The address of each of `values` as a C string that lives for ever."""
    for value in values:
        _TEXTS.setdefault(value, ctypes.create_string_buffer(value))
    return {value: ctypes.addressof(_TEXTS[value]) for value in values}


_TEXTS: dict[bytes, Any] = {}


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _prototype(name: str) -> Any:
    """The prototype for the callee's side: pointers arrive and leave as plain addresses, strings arrive as
    bytes.
    """
    result, arguments = SIGNATURES[name]
    plain = {ctypes.c_char_p}
    return ctypes.CFUNCTYPE(_callee(result, set()), *(_callee(argument, plain) for argument in arguments))


def _callee(kind: Any, kept: set[Any]) -> Any:
    if kind is None or kind in kept:
        return kind
    is_pointer = kind in (ctypes.c_char_p, ctypes.c_void_p) or not issubclass(kind, ctypes._SimpleCData)
    return ctypes.c_void_p if is_pointer else kind


def _guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    result = SIGNATURES[name][0]
    failure = {None: None, ctypes.c_int: Status.FALSE}.get(result, 0)

    def guarded(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except BaseException:
            traceback.print_exc()
            return failure
    return guarded
