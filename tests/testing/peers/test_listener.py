"""Contract of the tests' own servers."""

from __future__ import annotations

import socket
import threading

import pytest

from freeswitch_audio_stream.testing.peers.listener import Listener, read_all


@pytest.mark.slow
def test_a_test_that_fails_does_not_wait_for_its_connections() -> None:
    begun = threading.Event()

    def serve(connection: socket.socket) -> None:
        begun.set()
        read_all(connection)
    with socket.socket() as client:
        with pytest.raises(AssertionError, match="failed"), Listener(serve) as peer:
            client.connect((peer.host, peer.port))
            assert begun.wait(10)
            raise AssertionError("the test has failed")
