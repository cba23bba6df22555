"""The bare sender."""

from __future__ import annotations

import pytest

from freeswitch_audio_stream.benchmarks.measures import floor
from freeswitch_audio_stream.benchmarks.receiver.receiver import Receiver, wait_until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", [6, 131, 134, 328, 927])
def test_a_frame_has_the_size_that_was_asked_for(size: int) -> None:
    frame = floor.masked_frame(size)
    assert len(frame) == size and frame[0] == 0x82 and frame[1] & 0x80


def test_every_frame_it_counts_arrives(receiver: Receiver) -> None:
    assert wait_until(lambda: receiver.open_connections() == 0, 20.0)
    receiver.record()
    used = floor.measure(receiver.port, 3, 328, 0.2)
    assert used.frames == 3 * 10
    assert wait_until(lambda: receiver.heard().frames == 30, 20.0)
    assert used.user + used.system > 0
    assert wait_until(lambda: receiver.open_connections() == 0, 20.0)
