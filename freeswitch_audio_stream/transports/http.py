"""The HTTP streaming API's server: creating a session, and further connections for it.

h11 speaks HTTP/1.1 while a session is created. On open connections the compiled core sends and takes the bytes of what
`HttpServer` builds.
"""

from __future__ import annotations

import base64
import select
import ssl
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Callable, Sequence
from urllib.parse import urljoin, urlsplit

import h11

from ..errors import ConnectError, ConnectionRefused, SessionRefused
from ..threads import start_thread
from .attempt import Attempt, Cancel
from .handshake import Headers, PlainByteStream, named
from .http_answers import Answer, explain, is_for_good
from .target import Target, place
from .tls import TlsOptions, TlsSession, refusal
from .websocket import Connection, hand_over, open_stream

CREATE = "/session/create"
_MAX_ANSWER_BYTES = 1 << 20
_MAX_REDIRECTS = 3
_PARTING_SECONDS = 5.0
"""How long a server is heard, or asked, on behalf of a stream that has ended."""
_BEARER = "Authorization"


@dataclass(frozen=True)
class HttpServer:
    """Where the API is, and what each request says to it."""

    target: Target
    """Its path is the one that the API's own begin with."""
    headers: tuple[str, ...] = field(repr=False)
    """Lines of a request's head, without line ends; they may hold credentials."""

    def head(self, method: str, path: str, query: str = "") -> bytes:
        """Return a request's head without its last line end; `path` follows that of the URL, and `query` its query."""
        resource, _, given = self.target.resource.partition("?")
        query = "&".join(part for part in (given, query) if part)
        resource = resource.rstrip("/") + path + (f"?{query}" if query else "")
        return "\r\n".join((f"{method} {resource} HTTP/1.1", *self.headers, "")).encode()

    def post_head(self, path: str) -> bytes:
        """Return the head of a POST of JSON up to the place of the body's length."""
        return self.head("POST", path) + b"Content-Type: application/json\r\nContent-Length: "

    def post(self, path: str, body: bytes) -> bytes:
        """Return a whole POST of JSON."""
        return self.post_head(path) + b"%d\r\n\r\n" % len(body) + body

    def get(self, path: str, query: str) -> bytes:
        """Return a whole GET."""
        return self.head("GET", path, query) + b"\r\n"

    def redirected(self, location: str) -> HttpServer | None:
        """Return the server that the creation of a session is redirected to; None where that is another host, without
        TLS where there was some, or no place where sessions are created.
        """
        here = f"{self.target.scheme}://{self.target.where}{self.target.resource.partition('?')[0].rstrip('/')}{CREATE}"
        there = urlsplit(urljoin(here, location))
        if there.scheme not in ("http", "https") or not there.path.endswith(CREATE):
            return None
        try:
            target = Target.of(there._replace(path=there.path.removesuffix(CREATE), fragment="").geturl())
        except ConnectError:
            return None
        is_upgrade = target.secure and not self.target.secure
        if target.host != self.target.host or self.target.secure and not target.secure:
            return None
        if target.port != self.target.port and not is_upgrade:
            return None
        host = f"Host: {target.where}"
        return replace(self, target=target, headers=tuple(host if line == f"Host: {self.target.where}" else line
                                                          for line in self.headers))


@dataclass
class HttpConnection(Connection):
    """An open connection to a server on which a session was created."""

    server: HttpServer | None = None
    """Where the session was created, after all redirects."""
    is_new: bool = True
    """Whether the session was created now, rather than being there already."""
    end_session: Callable[[], None] = lambda: None
    """Ends the session, by another connection. Blocks for some seconds at most; any thread."""

    def abandon(self) -> None:
        """Close it, and have the session ended: nobody else will."""
        self.close()
        start_thread("audio-stream-end", self.end_session)  # not joined: it touches nothing else, and ends soon


def server_of(url: str, headers: Headers, api_key: str = "", api_key_header: str = _BEARER,
              basic_auth: tuple[str, str] | None = None) -> HttpServer:
    """Return the server of an http:// or https:// URL, and what is said to it with every request. Raise `ConnectError`.

    `headers` come in place of ours with the same name. The key is said as ``Authorization: Bearer``, or as the value of
    another header; in the former case instead of `basic_auth`, which is user and password, else those in the URL.
    """
    target = Target.of(url)
    ours = {"Host": target.where, "Accept": "application/json", "Accept-Encoding": "identity",
            "User-Agent": "freeswitch-audio-stream"}
    user = basic_auth or target.basic_auth
    if user:
        ours["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
    if api_key:
        is_bearer = api_key_header.lower() == _BEARER.lower()
        ours[_BEARER if is_bearer else api_key_header] = f"Bearer {api_key}" if is_bearer else api_key
    kept = {name: value for name, value in ours.items() if named(headers, name.lower()) is None}
    lines = tuple(f"{name}: {value}" for name, value in {**kept, **headers}.items())
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ConnectError("a header, or the API key, holds a line end: remove it")
    return HttpServer(target, lines)


def connect(server: HttpServer, tls: TlsOptions, timeout: float | None, cancel: Cancel | None = None) -> Connection:
    """Return a connection on which nothing was said yet. Blocks up to `timeout` seconds; raise `ConnectError`."""
    attempt = Attempt(server.target.where, timeout, cancel or Cancel())
    try:
        return _finished(open_stream(server.target, tls, attempt), attempt)
    except (OSError, RuntimeError) as error:
        raise ConnectError(f"no connection to {server.target.where}: {error}") from error


def create_session(server: HttpServer, body: bytes, end_path: str, tls: TlsOptions, timeout: float | None,
                   cancel: Cancel | None = None) -> HttpConnection:
    """Create a session by posting `body`, and return a connection on which the next request can be sent.

    Blocks up to `timeout` seconds, None = no limit; `cancel` ends it from another thread. A server that has been asked
    by then is still heard, for some seconds, and the session it has made is ended by a POST to `end_path`: it would
    cost until it expires. Redirects are followed within the host, and from http to https. Raise `SessionRefused` and
    other kinds of `ConnectError`.
    """
    attempt = Attempt(server.target.where, timeout, cancel or Cancel())
    try:
        for _ in range(_MAX_REDIRECTS + 1):
            stream = open_stream(server.target, tls, attempt)
            answer, goes_on = _exchange(stream, server, body, attempt)
            if answer.is_success:
                return _session(stream, goes_on, answer, server, partial(_end_session, server, end_path, tls), tls,
                                attempt)
            stream.sock.close()
            elsewhere = server.redirected(answer.headers.get("location", "")) if answer.is_redirect else None
            if elsewhere is None:
                raise SessionRefused(f"{server.target.where} {explain(answer)}", answer.status, is_for_good(answer),
                                     answer.retry_after)
            server = elsewhere
    except (OSError, RuntimeError) as error:  # no descriptors, or no threads, are left to this process
        raise ConnectError(f"no connection to {server.target.where}: {error}") from error
    raise SessionRefused(f"{server.target.where} sends us from place to place: put the final address into the URL",
                         for_good=True)


def _session(stream: PlainByteStream | TlsSession, goes_on: bool, answer: Answer, server: HttpServer,
             end_session: Callable[[], None], tls: TlsOptions, attempt: Attempt) -> HttpConnection:
    try:
        if not goes_on:
            stream.sock.close()
            stream = open_stream(server.target, tls, attempt)
        made = _finished(stream, attempt)
    except ConnectError:
        if attempt.cancel.cancelled:
            end_session()
        raise
    return HttpConnection(made.sock, made.leftover, None, made.peer, answer.headers, None, made.encrypted, server,
                          answer.json.get("status") != "existing", end_session)


def _end_session(server: HttpServer, path: str, tls: TlsOptions) -> None:
    """Whether that is possible is nobody's concern any more: a server lets sessions expire as well."""
    attempt = Attempt(server.target.where, _PARTING_SECONDS, Cancel())
    try:
        stream = open_stream(server.target, tls, attempt)
        try:
            _ask(stream, server, path, b"{}", attempt)
        finally:
            stream.sock.close()
    except (ConnectError, OSError, RuntimeError, h11.RemoteProtocolError):
        pass


def _finished(stream: PlainByteStream | TlsSession, attempt: Attempt) -> Connection:
    try:
        peer = place(*stream.sock.getpeername()[:2])
        attempt.remaining()
        sock, encrypted = hand_over(stream)
    except BaseException:
        stream.sock.close()
        raise
    return Connection(sock, b"", None, peer, {}, None, encrypted)


def _exchange(stream: PlainByteStream | TlsSession, server: HttpServer, body: bytes,
              attempt: Attempt) -> tuple[Answer, bool]:
    """Return the answer to the creation of a session, and whether the connection serves another request."""
    where = server.target.where
    try:
        return _ask(stream, server, CREATE, body, attempt)
    except ssl.SSLError as error:
        stream.sock.close()
        raise refusal(error, where) from error
    except h11.RemoteProtocolError as error:
        stream.sock.close()
        raise SessionRefused(f"{where} does not answer with HTTP ({error}): do scheme (http or https), host and port "
                             "in the URL lead to the server?") from error
    except OSError as error:
        stream.sock.close()
        raise ConnectionRefused(f"{where} broke the connection while the session was created "
                                f"({error.strerror or error}): its log may say why") from error
    except BaseException:
        stream.sock.close()
        raise


def _ask(stream: PlainByteStream | TlsSession, server: HttpServer, path: str, body: bytes,
         attempt: Attempt) -> tuple[Answer, bool]:
    client = h11.Connection(h11.CLIENT)
    request = server.post(path, body)
    _announce(client, request, body)
    rest = memoryview(request)
    with attempt.holding(stream.sock):
        while rest:
            sent = attempt.complete(lambda: stream.send(rest), stream.sock, select.POLLOUT)
            rest = rest[sent:]
        attempt.complete(stream.flush, stream.sock, select.POLLOUT)
    answer = _receive(client, stream, attempt.outlasting(_PARTING_SECONDS))
    return answer, client.our_state is h11.DONE and client.their_state is h11.DONE and not client.trailing_data[0]


def _announce(client: h11.Connection, request: bytes, body: bytes) -> None:
    """Tell h11 of a request that is sent as it is."""
    line, *rows = request[:request.index(b"\r\n\r\n")].split(b"\r\n")
    method, target, _ = line.split(b" ", 2)
    headers = [(name, value.strip()) for name, _, value in (row.partition(b":") for row in rows)]
    client.send(h11.Request(method=method, target=target, headers=headers))
    client.send(h11.Data(data=body))
    client.send(h11.EndOfMessage())


def _receive(client: h11.Connection, stream: PlainByteStream | TlsSession, attempt: Attempt) -> Answer:
    response: h11.Response | None = None
    parts: list[bytes] = []
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(attempt.complete(stream.recv, stream.sock, select.POLLIN))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
            if sum(map(len, parts)) > _MAX_ANSWER_BYTES:
                raise h11.RemoteProtocolError(f"an answer of more than {_MAX_ANSWER_BYTES} bytes")
        elif isinstance(event, h11.ConnectionClosed):
            raise OSError("it was closed")
        elif isinstance(event, h11.EndOfMessage):
            assert response is not None
            return Answer(response.status_code, _headers(response.headers), b"".join(parts))


def _headers(rows: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in rows:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return headers
