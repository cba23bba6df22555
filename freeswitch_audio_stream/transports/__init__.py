"""Ways to reach a server: bytes over sockets, and nothing about what the bytes mean.

    attempt.py    time limit and cancellation of one connection attempt
    tcp.py        name look-up and TCP, all addresses of a name
    tls.py        TLS contexts and handshakes, and what to say when one fails
    openssl.py    a TLS session for compiled code
    relay.py      a TLS session behind a plain socket, where that is not possible
    deflate.py    compressed messages
    target.py     what a URL says
    handshake.py  the opening handshake of a WebSocket
    websocket.py  all of it: from a ws or wss URL to a connected socket
    bare_tcp.py   the same for TCP without any handshake
    http_answers.py  what an HTTP server says, and what that means for a person
    http.py       a session of the HTTP streaming API, and further connections to its server
    schemes.py    whichever the URL asks for; the door of this layer
"""

from .attempt import Cancel
from .deflate import Deflate, Deflater, InflatedTooBig, InflateError, Inflater
from .openssl import LIBRARY as _OPENSSL
from .schemes import connect
from .tls import TlsOptions
from .websocket import Connection

__all__ = ["Cancel", "Connection", "Deflate", "Deflater", "InflateError", "InflatedTooBig", "Inflater",
           "TLS_IN_LOOP", "TlsOptions", "connect"]

TLS_IN_LOOP = _OPENSSL is not None
"""Whether compiled code can encrypt; else each TLS connection has a thread for that."""
