"""OpenSSL's own functions, for a TLS session that compiled code reads and writes without the GIL.

Python makes, verifies and owns the session (`ssl.SSLObject`). Its C object is found where CPython keeps it, and is
trusted only if everything else that must stand beside it does; the functions are those of the very library that the
ssl module links. Where any of this is not so (another Python, a static OpenSSL), there is no `Library`, and sessions
stay in memory behind a `relay.TlsRelay`.
"""

from __future__ import annotations

import _ssl
import ctypes
import ssl
import sys
import sysconfig
from typing import Any, Mapping, NamedTuple

_POINTER = ctypes.c_void_p
_PROTOTYPES: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "SSL_set_fd": (ctypes.c_int, (_POINTER, ctypes.c_int)),
    "SSL_get_SSL_CTX": (_POINTER, (_POINTER,)),
}
IN_LOOP = ("SSL_read", "SSL_write", "SSL_pending", "SSL_get_error", "SSL_shutdown", "ERR_clear_error", "ERR_peek_error")
"""Names of the functions that compiled code calls."""

_WORD = ctypes.sizeof(_POINTER)
# struct PySSLSocket (Modules/_ssl.c) of every CPython from 3.10 on: PyObject_HEAD, the socket, SSL *, the context.
_SOCKET_WORD, _SESSION_WORD, _CONTEXT_WORD = 2, 3, 4
# struct PySSLContext: PyObject_HEAD, SSL_CTX *.
_SSL_CTX_WORD = 2


def _word(thing: object, number: int) -> int:
    return int(ctypes.c_size_t.from_address(id(thing) + number * _WORD).value)


class OpenSslSession(NamedTuple):
    """A TLS session as compiled code sees it."""

    addresses: Mapping[str, int]
    """Of the session ("session", ``SSL *``) and of each function of IN_LOOP."""
    owner: ssl.SSLObject
    """What keeps the session alive."""


class OpenSsl:
    """The OpenSSL that Python's ssl module links; raise OSError or AttributeError if it cannot be reached."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_ssl.__file__)  # a look-up in it goes on in the libraries that it needs
        self._calls = {name: getattr(library, name) for name in _PROTOTYPES}
        for name, (result, arguments) in _PROTOTYPES.items():
            self._calls[name].restype, self._calls[name].argtypes = result, arguments
        addresses = (ctypes.cast(getattr(library, name), _POINTER).value for name in IN_LOOP)
        self._functions = {name: address or 0 for name, address in zip(IN_LOOP, addresses)}

    def adopt(self, session: ssl.SSLObject, fd: int) -> OpenSslSession | None:
        """Have an open session in memory, of which nothing is left to receive or to send, use the non-blocking socket
        `fd` itself, which stays the caller's. None, and nothing done, where its C object is not where it should be.
        """
        inner = session._sslobj  # type: ignore[attr-defined]
        context = session.context
        pointer = _word(inner, _SESSION_WORD)
        if _word(inner, _SOCKET_WORD) != 0 or _word(inner, _CONTEXT_WORD) != id(context) or pointer == 0:
            return None
        if self._calls["SSL_get_SSL_CTX"](pointer) != _word(context, _SSL_CTX_WORD):
            return None
        if self._calls["SSL_set_fd"](pointer, fd) != 1:
            return None
        return OpenSslSession({"session": pointer, **self._functions}, session)


def _find() -> OpenSsl | None:
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None  # objects begin otherwise there
    try:
        return OpenSsl()
    except (OSError, AttributeError):
        return None


LIBRARY = _find()
"""None where sessions have to stay in memory."""
