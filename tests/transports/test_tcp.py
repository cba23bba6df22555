from __future__ import annotations

import errno
import os
import socket
import threading
from typing import Any

import pytest

from freeswitch_audio_stream.errors import ConnectError, ConnectionRefused, ConnectTimeout, HostNotFound
from freeswitch_audio_stream.testing.peers.listener import Listener
from freeswitch_audio_stream.transports import tcp
from freeswitch_audio_stream.transports.attempt import Attempt, Cancel


def attempt(timeout: float | None = 30, cancel: Cancel | None = None) -> Attempt:
    return Attempt("server.example:1234", timeout, cancel or Cancel())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.mark.parametrize("host, family", [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_an_address_is_its_own_name(host: str, family: int) -> None:
    assert [(found, address[:2]) for found,
            address in tcp.resolve(host, 80, attempt())] == [(family, (host, 80))]


def test_a_name_is_looked_up() -> None:
    hosts = {address[0] for _, address in tcp.resolve("localhost", 80, attempt())}
    assert hosts & {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "two..dots"])
def test_a_name_without_an_address(host: str) -> None:
    with pytest.raises(HostNotFound, match="server.example:1234 has no address"):
        tcp.resolve(host, 80, attempt())


@pytest.fixture
def stuck_resolver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Name look-ups that wait until the test is over; yields an event that is set when one has begun."""
    begun, released = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        if options["flags"] & socket.AI_NUMERICHOST:
            return real(host, port, **options)
        begun.set()
        released.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "released")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield begun
    released.set()


def test_the_time_limit_covers_the_look_up(stuck_resolver: threading.Event) -> None:
    with pytest.raises(ConnectTimeout, match="within 0.05 s"):
        tcp.resolve("server.example", 80, attempt(0.05))


def test_cancelling_ends_a_look_up(stuck_resolver: threading.Event) -> None:
    cancel = Cancel()
    threading.Thread(target=lambda: [stuck_resolver.wait(), cancel.cancel()]).start()
    with pytest.raises(ConnectError, match="given up"):
        tcp.resolve("server.example", 80, attempt(None, cancel))


def test_a_connection_is_non_blocking_prompt_and_kept_alive() -> None:
    with Listener(lambda connection: None) as peer:
        with tcp.connect([(socket.AF_INET, (peer.host, peer.port))], attempt()) as sock:
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_the_next_address_is_tried_after_a_refusal() -> None:
    with Listener(lambda connection: None) as peer:
        addresses = [(socket.AF_INET, ("127.0.0.1", free_port())), (socket.AF_INET, (peer.host, peer.port))]
        tcp.connect(addresses, attempt()).close()


def test_the_next_address_is_tried_beside_one_that_swallows_packets(silent: tuple[int, Any]) -> None:
    with Listener(lambda connection: None) as peer:
        with tcp.connect([silent, (socket.AF_INET, (peer.host, peer.port))], attempt(None)) as sock:
            assert sock.getpeername() == (peer.host, peer.port)


@pytest.fixture
def silent() -> Any:
    """An address that answers nothing: a listener whose queue is full, where Linux drops further SYNs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        crowd = []
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            assert sock.connect_ex(address) in (0, errno.EINPROGRESS)
            crowd.append(sock)
        yield socket.AF_INET, address
        for sock in crowd:
            sock.close()


def test_the_time_limit_covers_the_connection(silent: tuple[int, Any]) -> None:
    with pytest.raises(ConnectTimeout):
        tcp.connect([silent], attempt(0.05))


def test_cancelling_ends_a_connection_in_progress(silent: tuple[int, Any]) -> None:
    cancel = Cancel()
    trying = attempt(None, cancel)
    waiting = threading.Event()
    real_wait = trying.wait

    def wait(*arguments: Any) -> Any:
        waiting.set()
        return real_wait(*arguments)

    trying.wait = wait  # type: ignore[method-assign, assignment]
    threading.Thread(target=lambda: [waiting.wait(), cancel.cancel()]).start()
    with pytest.raises(ConnectError, match="given up"):
        tcp.connect([silent], trying)


def test_a_cancelled_attempt_never_begins() -> None:
    cancel = Cancel()
    cancel.cancel()
    with Listener(lambda connection: None) as peer, pytest.raises(ConnectError, match="given up"):
        tcp.connect([(socket.AF_INET, (peer.host, peer.port))], attempt(None, cancel))


def test_refusals_say_why() -> None:
    with pytest.raises(ConnectionRefused, match=r"server.example:1234 .*\(Connection refused\)"):
        tcp.connect([(socket.AF_INET, ("127.0.0.1", free_port()))], attempt())


def test_no_descriptor_is_left(silent: tuple[int, Any]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(ConnectTimeout):
            tcp.connect([(socket.AF_INET, ("127.0.0.1", free_port())), silent], attempt(0.01))
    assert len(os.listdir("/proc/self/fd")) == before


def test_time_left_is_given_in_seconds() -> None:
    assert attempt(None).remaining() is None
    left = attempt(1000).remaining()
    assert left is not None and 0 < left <= 1000
