"""The client's side of a WebSocket's opening handshake (RFC 6455 section 4.1) over an open byte stream.

websocket-client writes the request and verifies the answer's key. What it works on is ours, because it has to
obey a deadline and another thread, and because what arrives together with the answer must not be lost.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
from http import HTTPStatus
from typing import Any, Mapping, Protocol

import websocket

from ..errors import ConnectError, ConnectionRefused, HandshakeRefused
from .attempt import Attempt
from .deflate import OFFER, Deflate, agreement
from .target import Target
from .tls import refusal

MAX_HEAD_BYTES = 16384
"""Bytes; a longer response is refused, because it is held in memory."""

Headers = Mapping[str, str]


class ByteStream(Protocol):
    """A non-blocking byte stream over `sock`; `tls.TlsSession` is one."""

    sock: socket.socket

    def recv(self) -> bytes:
        """Return the bytes received, b"" at the end of the stream; raise BlockingIOError if there are none yet."""

    def send(self, data: bytes | memoryview, /) -> int:
        """Send; return the number of bytes accepted. Raise BlockingIOError if none can be accepted now."""

    def flush(self) -> None:
        """Pass accepted bytes on to the socket; raise BlockingIOError while some cannot be."""


class PlainByteStream:
    """A TCP connection as a `Stream`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.send = sock.send

    def recv(self) -> bytes:
        return self.sock.recv(MAX_HEAD_BYTES)

    def flush(self) -> None:
        """Do nothing: this stream holds no bytes back."""


def request_headers(subprotocol: str, basic_auth: tuple[str, str] | None, headers: Headers,
                    deflate: bool = False, origin: str | None = None) -> list[str]:
    """The request's header lines that are not the same for every WebSocket, but for Host. Raise `ConnectError`.

    One of `headers` comes in place of `origin`.
    """
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if origin is not None and named(headers, "origin") is None:
        lines.append(f"Origin: {origin}")
    if subprotocol:
        # Not as websocket-client's own argument: then it refuses servers that do not mention a subprotocol.
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    if deflate:
        lines.append(f"Sec-WebSocket-Extensions: {OFFER}")
    if basic_auth:
        credentials = base64.b64encode(":".join(basic_auth).encode()).decode()
        lines.append(f"Authorization: Basic {credentials}")
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ConnectError("a header, or the subprotocol, holds a line end: remove it")
    return [line for line in lines if not line.lower().startswith("host:")]


def named(headers: Headers, name: str) -> str | None:
    """The value of a header, whose name is given in lower case."""
    return next((value for other, value in headers.items() if other.lower() == name), None)


def shake_hands(stream: ByteStream, target: Target, host: str, request: list[str], subprotocol: str,
                deflate: bool, attempt: Attempt) -> tuple[dict[str, str], Deflate | None, bytes]:
    """Open a WebSocket; the headers of the server's answer (names in lower case), how messages may be
    compressed, and what came after it.

    `host` is the value of the Host header, `request` are further header lines; `subprotocol` and `deflate` are what
    they offer.
    Blocks up to the attempt's deadline. Raise `HandshakeRefused`, `ConnectionRefused`, `TlsRefused`, and what
    `Attempt.remaining` raises.
    """
    wire = _Wire(stream, target, attempt)
    client: Any = websocket.WebSocket()  # partly untyped
    where = target.where
    try:
        client.connect(target.url, socket=wire, header=request, host=host, suppress_origin=True,
                       redirect_limit=0)
    except ssl.SSLError as error:  # with TLS 1.3 the server judges a client's certificate only now
        raise refusal(error, where) from error
    except OSError as error:
        raise ConnectionRefused(f"{where} broke the connection during the WebSocket handshake "
                                f"({error.strerror or error}): its log may say why") from error
    except (websocket.WebSocketException, ValueError) as error:
        raise HandshakeRefused(f"{where} does not answer as a WebSocket server should "
                               f"({printable(str(error))}): does a proxy on the way let WebSockets through?",
                               101) from error
    answer: dict[str, str] = client.getheaders() or {}
    _check_subprotocol(answer, subprotocol, where)
    return answer, _agreed_deflate(answer, deflate, where), wire.leftover


class _Wire:
    """What websocket-client takes for a socket: it blocks within the attempt's limits, others close it."""

    def __init__(self, stream: ByteStream, target: Target, attempt: Attempt) -> None:
        self.leftover = b""
        self._stream = stream
        self._target = target
        self._attempt = attempt
        self._head = b""

    def gettimeout(self) -> None:
        return None

    def close(self) -> None:
        """Who opened the connection closes it."""

    def send(self, data: bytes) -> int:
        try:
            self._send(data)
        except OSError as error:
            raise self._alert() or error
        return len(data)

    def _send(self, data: bytes) -> None:
        stream, rest = self._stream, memoryview(data)
        while rest:
            sent = self._attempt.complete(lambda: stream.send(rest), stream.sock, select.POLLOUT)
            rest = rest[sent:]
        self._attempt.complete(stream.flush, stream.sock, select.POLLOUT)

    def _alert(self) -> ssl.SSLError | None:
        """Return the TLS alert that the server sent before it closed the connection; None if there is none."""
        try:
            self._stream.recv()
        except ssl.SSLError as alert:
            return alert
        except OSError:
            pass
        return None

    def recv(self, size: int) -> bytes:
        """Bytes of the answer's head, which is read and judged as a whole when they are first asked for."""
        if not self._head:
            head, self.leftover = self._read_head()
            _check_status(head, self._target)
            self._head = _one_line_each(_without_cookies(head))
        taken, self._head = self._head[:size], self._head[size:]
        return taken

    def _read_head(self) -> tuple[bytes, bytes]:
        where, data = self._target.where, b""
        while True:
            received = self._attempt.complete(self._stream.recv, self._stream.sock, select.POLLIN)
            if not received:
                raise ConnectionRefused(f"{where} closed the connection during the WebSocket handshake: its "
                                        "log may say why")
            data += received
            if not data.startswith(b"HTTP/"[:len(data)]):
                raise _not_http(where)
            head, separator, rest = data.partition(b"\r\n\r\n")
            if separator:
                return head + separator, rest
            if len(data) > MAX_HEAD_BYTES:
                raise HandshakeRefused(f"{where} answered with a header longer than {MAX_HEAD_BYTES} bytes: "
                                       "do host and port in the URL lead to the WebSocket server?")


def _without_cookies(head: bytes) -> bytes:
    """websocket-client would keep cookies for every later connection of this process."""
    return b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"set-cookie:"))


def _one_line_each(head: bytes) -> bytes:
    """Join the values of repeated headers (RFC 9110 section 5.3), of which websocket-client keeps one."""
    status, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    joined: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        first = joined.get(name.lower())
        joined[name.lower()] = line if first is None else first + b", " + value.strip()
    return b"\r\n".join([status, *joined.values(), b"", b""])


def _check_status(head: bytes, target: Target) -> None:
    line, *lines = head.decode("latin-1").split("\r\n")
    _, _, rest = line.partition(" ")
    code, _, phrase = rest.partition(" ")
    if not (code.isascii() and code.isdigit() and len(code) == 3):
        raise _not_http(target.where)
    status = int(code)
    if status == HTTPStatus.SWITCHING_PROTOCOLS:
        return
    answer = f"HTTP {status} {printable(phrase)}".rstrip()
    if status == HTTPStatus.UNAUTHORIZED:
        text = f"does not let us in ({answer}): check http_auth_user and http_auth_password"
    elif status == HTTPStatus.FORBIDDEN:
        text = (f"forbids the connection ({answer}): if it checks the header Origin, set origin to one that it allows, "
                "or to NONE; else check http_auth_user, http_auth_password and extra_headers")
    elif status == HTTPStatus.NOT_FOUND:
        path, _, _ = target.resource.partition("?")  # a query may hold a secret
        text = f"has no {printable(path)} ({answer}): check the path in the URL"
    elif 300 <= status < 400:
        names = (row.partition(":") for row in lines)
        place = next((printable(value) for name, _, value in names if name.lower() == "location"), "nowhere")
        text = f"sends us to {place} ({answer}), which is not followed: put the final address into the URL"
    elif 200 <= status < 300:
        text = f"answers with a document, not with a WebSocket ({answer}): check the URL's port and path"
    else:
        text = f"refuses the WebSocket ({answer}): its log may say why"
    raise HandshakeRefused(f"{target.where} {text}", status)


def _not_http(where: str) -> HandshakeRefused:
    return HandshakeRefused(f"{where} does not answer with HTTP: do scheme (ws or wss), host and port in the "
                            "URL lead to the WebSocket server?")


def _check_subprotocol(answer: Headers, subprotocol: str, where: str) -> None:
    """A client fails the connection when the server chooses what was not offered; silence is agreement."""
    offered = [name.strip() for name in subprotocol.split(",")]
    chosen = answer.get("sec-websocket-protocol", offered[0])
    if chosen not in offered:
        raise HandshakeRefused(f"{where} insists on the subprotocol {printable(chosen)!r}: set "
                               "subprotocol_name to it", 101)


def _agreed_deflate(answer: Headers, offered: bool, where: str) -> Deflate | None:
    extensions = answer.get("sec-websocket-extensions", "")
    if offered:
        return agreement(extensions, where)
    if extensions:
        raise HandshakeRefused(f"{where} insists on the WebSocket extension {printable(extensions)!r}, which "
                               "was not offered: switch it off there", 101)
    return None


def printable(text: str) -> str:
    """Return a server's text in a form fit for one line of a log."""
    return "".join(character if character.isprintable() else "?" for character in text.strip())[:100]
