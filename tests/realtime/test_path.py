"""A stream's compiled state after its end: the record may be another stream's by then."""

from __future__ import annotations

from ctypes import c_int64

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Encoding
from freeswitch_audio_stream.realtime.core import Core
from freeswitch_audio_stream.realtime.path import MediaPath
from freeswitch_audio_stream.realtime.path_format import PathFormat
from freeswitch_audio_stream.realtime.records import OFFSET

from .open_stream import template

FORM = PathFormat(tracks="inbound", rate=8000, encoding=Encoding.L16, chunk_ms=20, buffer_secs=1,
                  playback_secs=1, binary_playback=False)


@pytest.fixture
def path(core: Core) -> MediaPath:
    """To be closed by the test."""
    return core.open_path(FORM, [template()])[0]


def field(path: MediaPath, name: str) -> c_int64:
    """Of the record, whoever has it now."""
    return c_int64.from_address(path.address + OFFSET[name])


def test_a_command_that_comes_too_late_changes_nothing(core: Core, path: MediaPath) -> None:
    """A command's thread may hold a stream that ends at this very moment."""
    core.close_path(path)
    path.pause(True)
    path.pause_playback(True)
    assert field(path, "paused").value == field(path, "play_paused").value == 0
    assert not path.send(1, b"late")


def test_the_counters_stay_as_they_were(core: Core, path: MediaPath) -> None:
    assert path.play(np.ones(800, np.int16), 8000) == 800
    before = path.statistics()
    assert before.play_waiting == 800
    core.close_path(path)
    field(path, "play_write").value = 0  # as the next stream that has the record
    assert path.statistics() == before
