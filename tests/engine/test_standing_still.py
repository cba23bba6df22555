"""A process that was stopped for a while takes nobody for dead: its servers stood still, for all it knows, as well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import orjson
import pytest

from freeswitch_audio_stream.testing.peers.listener import accept_websocket
from freeswitch_audio_stream.testing.peers.raw_websocket import PING, PONG, RawPeer, RawServer, frame

from .harness import MODULE, PATIENCE

pytestmark = pytest.mark.slow

STREAMS = 20


class Streams:
    """A process with streams; see `standing_still`."""

    def __init__(self, url: str, timeout: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.standing_still", url, str(STREAMS), str(timeout)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def wait_until_ready(self) -> None:
        assert self._line() == "ready\n"

    def stand_still(self, seconds: float) -> None:
        """Stop the process, and have it go on; nothing here may hurry that."""
        os.kill(self._process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self._process.pid, signal.SIGCONT)

    def events(self) -> Counter[str]:
        """How often each event has been fired."""
        assert self._process.stdin is not None
        self._process.stdin.write("events\n")
        self._process.stdin.flush()
        return Counter(name.removeprefix(f"{MODULE}::") for _, name in orjson.loads(self._line()))

    def end(self) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.stdout.close()


def hear_ping(peer: RawPeer) -> bytes:
    """Take frames in up to the next ping; what it carries."""
    while True:
        opcode, payload = peer.hear()
        if opcode & 15 == PING:
            return payload


def stand_still_with_pings_under_way(seconds: float) -> None:
    """The pings were sent before, and are answered after."""
    with RawServer() as server:
        streams = Streams(server.url)
        try:
            peers = [server.accept() for _ in range(STREAMS)]
            streams.wait_until_ready()
            pings = [hear_ping(peer) for peer in peers]
            streams.stand_still(seconds)
            streams.events()  # they have gone on, and looked at the clock
            for peer, ping in zip(peers, pings):
                peer.send(frame(PONG, ping))
            for peer in peers:
                peer.send(frame(PONG, hear_ping(peer)))
            events = streams.events()
            assert events["stream_started"] == STREAMS
            assert not {"connection_closed", "stream_stopped"} & set(events)
        finally:
            _leave(server)
            assert streams.end() == 0


def stand_still_while_connecting(seconds: float) -> None:
    """The time allowed for it does not pass meanwhile."""
    with RawServer() as server:
        streams = Streams(server.url, timeout=3)
        try:
            connecting = [server.accept_silently() for _ in range(STREAMS)]
            streams.stand_still(seconds)
            for sock in connecting:
                accept_websocket(sock)
            for sock in connecting:
                RawPeer(sock).hear_message("start")
            streams.wait_until_ready()
            assert not {"connection_timeout", "connection_failed", "stream_stopped"} & set(streams.events())
        finally:
            _leave(server)
            assert streams.end() == 0


KINDS = (stand_still_with_pings_under_way, stand_still_while_connecting)


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_stop(kind: Callable[[float], None]) -> None:
    kind(4)


def test_stops_of_half_a_minute_to_two_minutes() -> None:
    """The longest first, and beside each other: they last as long as they do."""
    with ThreadPoolExecutor(3) as pool:
        stops = [pool.submit(kind, seconds) for seconds in (120, 60, 30) for kind in KINDS]
        for stop in stops:
            stop.result()


def _leave(server: RawServer) -> None:
    for sock in server._open:
        sock.close()
