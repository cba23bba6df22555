"""Name look-up and TCP."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
from typing import Any, Sequence

from ..errors import ConnectionRefused, HostNotFound
from ..threads import start_thread
from .attempt import Attempt, shut_down

Address = tuple[int, Any]
"""An address family, and an address of it as `socket.connect` takes it."""

# RFC 8305 section 5: how long one address is tried alone before the next is tried beside it. One address that
# swallows packets (a broken IPv6 route is the usual one) then costs this and not minutes.
NEXT_ADDRESS_SECONDS = 0.25

# A peer that vanished without a word is noticed after about 80 s of silence, as far as TCP is concerned.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 4))


def resolve(host: str, port: int, attempt: Attempt) -> list[Address]:
    """Every address of `host`, in the order the system prefers. Blocks up to the attempt's deadline.

    Raise `HostNotFound`. A look-up cannot be interrupted, so it has a thread of its own; one that is given
    up ends with the resolver's own limits and touches nothing that others use.
    """
    answer = _look_up(host, port, socket.AI_NUMERICHOST)
    if not isinstance(answer, list):
        answer = _look_up_beside(host, port, attempt)
    if isinstance(answer, list):
        return answer
    reason = answer.strerror if isinstance(answer, OSError) else "it is not a valid name"
    raise HostNotFound(f"the host name of {attempt.where} has no address ({reason}): check its spelling and "
                       "this machine's DNS servers") from answer


def connect(addresses: Sequence[Address], attempt: Attempt) -> socket.socket:
    """A non-blocking TCP connection to the first of `addresses` that accepts one.

    TCP_NODELAY and keepalive are set. Blocks up to the attempt's deadline; raise `ConnectionRefused`.
    """
    opened: list[socket.socket] = []
    chosen: socket.socket | None = None
    try:
        with attempt.cancel.calling(lambda: _shut_all(opened)):
            chosen = _first(addresses, opened, attempt)
        return chosen
    finally:
        for sock in opened:
            if sock is not chosen:
                sock.close()


Answer = list[Address] | OSError | UnicodeError


def _look_up(host: str, port: int, flags: int = 0) -> Answer:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that is empty or too long
        return error
    return [(family, address) for family, _, _, _, address in rows]


def _look_up_beside(host: str, port: int, attempt: Attempt) -> Answer:
    answers: list[Answer] = []
    done = threading.Event()

    def look_up() -> None:
        answers.append(_look_up(host, port))
        done.set()

    with attempt.cancel.calling(done.set):
        start_thread("audio-stream-resolver", look_up)
        attempt.wait_for(done)
    return answers[0]


def _first(addresses: Sequence[Address], opened: list[socket.socket], attempt: Attempt) -> socket.socket:
    waiting = list(addresses)
    pending: dict[socket.socket, int] = {}
    failure = 0
    while waiting or pending:
        if waiting:
            sock, failed = _begin(*waiting.pop(0))
            opened.append(sock)
            if failed:
                failure = failed
                continue
            pending[sock] = select.POLLOUT
        for sock in attempt.wait(pending, NEXT_ADDRESS_SECONDS if waiting else None):
            failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not failed:
                return sock
            failure = failed
            del pending[sock]
    raise ConnectionRefused(f"{attempt.where} does not accept connections ({os.strerror(failure)}): is the "
                            "server running there, and do host and port in the URL lead to it?")


def _shut_all(opened: list[socket.socket]) -> None:
    for sock in tuple(opened):  # a copy: this is another thread than the one that adds to it
        shut_down(sock)


def _begin(family: int, address: Any) -> tuple[socket.socket, int]:
    """A socket that is connecting, and the error number where that has failed already (else 0)."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    failed = sock.connect_ex(address)
    return sock, 0 if failed == errno.EINPROGRESS else failed
