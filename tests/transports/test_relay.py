from __future__ import annotations

import hashlib
import random
import select
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import Iterator

import pytest

from freeswitch_audio_stream.testing.peers.listener import Handler, Listener, read_all
from freeswitch_audio_stream.transports import TlsOptions, tcp
from freeswitch_audio_stream.transports.attempt import Attempt, Cancel
from freeswitch_audio_stream.transports.relay import TlsRelay
from freeswitch_audio_stream.transports.tls import open_session

from .certificates import Certificate, server_context

WAIT_SECONDS = 60
BULK = random.Random(1).randbytes(3_000_000)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS1.2", "TLS1.3"])
def context(request: pytest.FixtureRequest, good: Certificate) -> ssl.SSLContext:
    made = server_context(good)
    made.maximum_version = request.param
    return made


@contextmanager
def relayed(handler: Handler, context: ssl.SSLContext,
            ca: Certificate) -> Iterator[tuple[TlsRelay, socket.socket]]:
    """A relay to `handler`, and its local socket made blocking for the test's convenience."""
    with Listener(handler, context=context) as peer:
        attempt = Attempt(peer.place, WAIT_SECONDS, Cancel())
        addresses = tcp.resolve(peer.host, peer.port, attempt)
        relay = TlsRelay(open_session(lambda: tcp.connect(addresses, attempt), peer.host,
                                      TlsOptions(ca_file=str(ca.file)), attempt))
        relay.local.settimeout(WAIT_SECONDS)
        try:
            yield relay, relay.local
        finally:
            relay.local.close()
            relay.stop()
            assert relay.join(WAIT_SECONDS)
    assert not peer.failures


def test_bytes_both_ways_at_once(context: ssl.SSLContext, ca: Certificate) -> None:
    def echo(connection: socket.socket) -> None:
        while data := connection.recv(65536):
            connection.sendall(data)

    with relayed(echo, context, ca) as (_, local):
        def send() -> None:
            local.sendall(BULK)
            local.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert hashlib.sha256(read_all(local)).digest() == hashlib.sha256(BULK).digest()
        sender.join()


def test_the_local_end_first(context: ssl.SSLContext, ca: Certificate) -> None:
    """Half-close: the server hears our end, and what it says after that still arrives."""
    def answer_at_the_end(connection: socket.socket) -> None:
        connection.sendall(b"got %d" % len(read_all(connection)))
        connection.sendall(BULK)

    with relayed(answer_at_the_end, context, ca) as (_, local):
        local.sendall(BULK)
        local.shutdown(socket.SHUT_WR)
        assert read_all(local) == b"got %d" % len(BULK) + BULK


def test_ending_while_the_server_sends_loses_nothing(context: ssl.SSLContext, ca: Certificate) -> None:
    def send(connection: socket.socket) -> None:
        connection.sendall(BULK)
        assert read_all(connection) == b"last words"

    with relayed(send, context, ca) as (_, local):
        local.sendall(b"last words")
        local.shutdown(socket.SHUT_WR)
        assert read_all(local) == BULK


def test_the_servers_end_first(context: ssl.SSLContext, ca: Certificate) -> None:
    received: list[bytes] = []

    def end_and_listen(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        connection.sendall(BULK)
        connection.unwrap()  # waits for the client's close_notify, which must not be lost either
        received.append(b"closed properly")

    with relayed(end_and_listen, context, ca) as (relay, local):
        assert read_all(local) == BULK
        local.close()
        assert relay.join(WAIT_SECONDS)
    assert received == [b"closed properly"]


def test_a_server_that_ends_without_close_notify(context: ssl.SSLContext, ca: Certificate) -> None:
    def vanish(connection: socket.socket) -> None:
        connection.sendall(BULK)
        socket.socket.shutdown(connection, socket.SHUT_RDWR)

    with relayed(vanish, context, ca) as (_, local):
        assert read_all(local) == BULK


def test_closing_sends_the_last_bytes(context: ssl.SSLContext, ca: Certificate) -> None:
    received: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        connection.sendall(BULK)  # unread by us: it must not turn our end into a reset
        received.append(read_all(connection))

    with relayed(listen, context, ca) as (relay, local):
        local.sendall(b"last words")
        local.close()
        assert relay.join(WAIT_SECONDS)
    assert received == [b"last words"]


@pytest.mark.slow
def test_closing_ends_the_thread_although_the_server_never_reads(context: ssl.SSLContext,
                                                                 ca: Certificate) -> None:
    released = threading.Event()
    with relayed(lambda connection: assert_(released.wait(WAIT_SECONDS)), context, ca) as (relay, local):
        fill(local)
        local.close()
        assert relay.join(WAIT_SECONDS)
        released.set()


def test_stop_ends_a_relay_in_mid_stream(context: ssl.SSLContext, ca: Certificate) -> None:
    released = threading.Event()
    with relayed(lambda connection: assert_(released.wait(WAIT_SECONDS)), context, ca) as (relay, local):
        fill(local)
        relay.stop()
        relay.stop()
        assert relay.join(WAIT_SECONDS)
        with pytest.raises(OSError):
            local.sendall(b"anybody there?")
        released.set()


def test_what_is_held_is_bounded(context: ssl.SSLContext, ca: Certificate) -> None:
    """A server that does not read holds the sender back, instead of filling memory."""
    released = threading.Event()
    with relayed(lambda connection: assert_(released.wait(WAIT_SECONDS)), context, ca) as (_, local):
        assert fill(local) < 100_000_000
        released.set()


def fill(local: socket.socket) -> int:
    """Write until the relay takes no more; the number of bytes."""
    local.setblocking(False)
    sent = 0
    while select.select([], [local], [], 0.5)[1]:
        try:
            sent += local.send(BULK)
        except BlockingIOError:
            pass
    return sent


def assert_(condition: bool) -> None:
    assert condition
