"""How many connections the server has open: by address and in all, and what is left where descriptors run out."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import Iterator

import orjson
import pytest

from freeswitch_audio_stream.web.connection_limits import ConnectionCount, ConnectionLimits, choose_limits, open_files
from freeswitch_audio_stream.web.listener import Listener
from freeswitch_audio_stream.web.occasionally import SECONDS, Occasionally
from tests.engine.harness import PATIENCE, noise, until

from ..http_api.harness import Site

OTHER, THIRD = "127.0.0.2", "127.0.0.3"


@pytest.mark.parametrize("in_all, from_an_address, files, chosen", [
    (0, 0, 1024, (256, 64)), (0, 0, 4096, (1000, 250)), (0, 0, 1 << 30, (1000, 250)), (100, 0, 1024, (100, 25)),
    (5000, 0, 1024, (512, 128)), (5000, 5000, 100000, (5000, 5000)), (0, 7, 1024, (256, 7)), (10, 20, 1024, (10, 10)),
    (0, 0, 3, (1, 1)), (2, 0, 1024, (2, 1)),
])
def test_limits_lie_below_what_the_process_may_open(in_all: int, from_an_address: int, files: int,
                                                    chosen: tuple[int, int]) -> None:
    limits = choose_limits(in_all, from_an_address, files)
    assert (limits.in_all, limits.from_an_address) == chosen


def test_what_the_process_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_files() == resource.getrlimit(resource.RLIMIT_NOFILE)[0] or open_files() == 1 << 30
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert open_files() > 100_000


def test_counting() -> None:
    count = ConnectionCount(ConnectionLimits(3, 2))
    first, second = count.enter("192.0.2.1"), count.enter("::ffff:192.0.2.1")
    assert first is not None and first == second, "an IPv4 address is one, however it is written"
    assert count.enter("192.0.2.1") is None
    network = count.enter("2001:db8::1")
    assert network is not None
    assert count.enter("2001:db8:1::1") is None, "that would be one too many in all"
    count.leave(first)
    assert count.enter("2001:db8::ffff") == network, "one /64 of IPv6 is one subscriber"
    for key in (network, network, first):
        count.leave(key)
    assert len(count) == 0 and not count._open, "who has gone is forgotten"


def test_what_happens_often_is_told_once_a_minute() -> None:
    now, told = [0.0], []
    lines = Occasionally(told.append, lambda: now[0])
    for _ in range(1000):
        lines.tell("no more files")
    assert told == ["no more files"]
    now[0] = SECONDS
    lines.tell("no more files")
    lines.tell("no more files")
    assert told[1:] == ["no more files (999 times more since this was last told)"]


# The server

@pytest.fixture(scope="module")
def small_site() -> Iterator[Site]:
    site = Site(max_connections=5, max_connections_per_address=3)
    yield site
    site.close()


@pytest.fixture
def small(small_site: Site) -> Iterator[Site]:
    until(lambda: len(small_site.server.connections) == 0)
    small_site.server._web._uvicorn.listener._too_many._next = 0.0
    small_site.switch.log_lines.clear()
    yield small_site
    small_site.settle()


def connect(site: Site, source: str = "127.0.0.1") -> socket.socket:
    host, _, port = site.server.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE, source_address=(source, 0))


def answer_of(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


def refusals(site: Site) -> list[str]:
    return [line.text for line in site.switch.log_lines if "refuses connections" in line.text]


def test_connections_of_one_address(small: Site) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(connect(small, OTHER)) for _ in range(3)]
        until(lambda: len(small.server.connections) == 3)
        for _ in range(20):
            with connect(small, OTHER) as one_too_many:
                answer = answer_of(one_too_many)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ") and b"Retry-After: " in head
        assert "too many connections" in orjson.loads(body)["detail"]
        line, = refusals(small)
        assert OTHER in line and "3 from one address" in line
        call = small.call()
        client, part = small.connect(call), noise(8000, 31)
        call.say(part)
        client.hear(part)
        idle[0].close()
        until(lambda: len(small.server.connections) == 2)
        opened.enter_context(connect(small, OTHER)).sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: len(small.server.connections) == 3)


def test_connections_in_all(small: Site) -> None:
    with ExitStack() as opened:
        for source in (OTHER, OTHER, OTHER, THIRD, THIRD):
            opened.enter_context(connect(small, source))
        until(lambda: len(small.server.connections) == 5)
        assert small.request("/docs", upgrade=False).status == 503
    until(lambda: len(small.server.connections) == 0)
    assert small.request("/docs", upgrade=False).status == 200


def test_attached_clients_do_not_count(small: Site) -> None:
    call = small.call()
    for _ in range(6):
        small.connect(call)
    until(lambda: len(small.server.connections) == 0)
    assert refusals(small) == []


def test_a_limit_that_the_process_cannot_afford_is_told() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    site = Site(max_connections=soft // 2 + 1) if soft < 100_000 else None
    if site is None:
        pytest.skip("this process may open too many files")
    try:
        lines = [line.text for line in site.switch.log_lines if "media-server-max-connections is" in line.text]
        assert len(lines) == 1 and f"it is {soft // 2}" in lines[0] and "LimitNOFILE" in lines[0]
        site.switch.log_lines.clear()
    finally:
        site.close()


# Descriptors that run out, in a process of its own

_CHILD = """
import asyncio, os, resource, socket, sys
from freeswitch_audio_stream.web.connection_limits import ConnectionLimits
from freeswitch_audio_stream.web.listener import Listener

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"here")

def fail(error):
    print("fault", repr(error), flush=True)

async def main():
    sock = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, int)  # while files can be opened for it
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    listener = Listener(sock, Echo, None, ConnectionLimits(1000, 1000), 10.0, "the server", lambda text: print(
        "told", loop.remove_reader(sock), text, flush=True), fail)
    listener.open()
    taken = []
    while True:
        try:
            taken.append(os.dup(0))
        except OSError:
            break
    print(sock.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    for fd in taken:
        os.close(fd)
    print("freed", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    listener.close()

asyncio.run(main())
"""


@pytest.mark.slow
def test_descriptors_that_run_out() -> None:
    with subprocess.Popen([sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as child:
        assert child.stdin and child.stdout and child.stderr
        address = "127.0.0.1", int(child.stdout.readline())
        with ExitStack() as opened:
            waiting = [opened.enter_context(socket.create_connection(address, timeout=PATIENCE)) for _ in range(20)]
            line = child.stdout.readline()
            # Nothing reads the listening socket meanwhile, so nothing is tried in vain.
            assert line.startswith("told False the server cannot accept connections") and "64 files" in line
            assert "Too many open files" in line and "LimitNOFILE" in line
            print("free", file=child.stdin, flush=True)
            assert child.stdout.readline() == "freed\n"
            assert [sock.recv(4) for sock in waiting] == [b"here"] * 20, "who has waited is served"
        print("end", file=child.stdin, flush=True)
        assert child.stdout.read() == "" and child.stderr.read() == ""
        assert child.wait(PATIENCE) == 0


def test_a_connection_that_was_over_before_it_was_accepted_holds_up_nobody() -> None:
    """accept(2) reports what has become of it, and the next one is there."""
    class Breaking(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            if not failed:
                failed.append(1)
                raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
            return super().accept()

    failed: list[int] = []
    served: list[asyncio.Protocol] = []

    class Serve(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            served.append(self)

    async def main() -> None:
        with Breaking() as sock, socket.socket() as client:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            told: list[str] = []
            listener = Listener(sock, Serve, None, ConnectionLimits(9, 9), 10.0, "it", told.append, served.append)
            listener.open()
            client.connect(sock.getsockname())
            while not served:
                await asyncio.sleep(0.01)
            assert failed and told == []
            listener.close()
            listener.close()
    asyncio.run(asyncio.wait_for(main(), PATIENCE))
