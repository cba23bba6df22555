"""What is between a stream and its server: slow, narrow, full, broken, gone."""

from __future__ import annotations

import pytest

from ..engine.harness import until
from .conftest import OpenLine
from .line import Line
from .table import Lost, Row, fault

pytestmark = pytest.mark.slow


@fault("delay")
def test_delay(line: Line, row: Row) -> None:
    line.proxy.delay(0.05)
    line.is_as(row, line.say())


@fault("bandwidth")
def test_bandwidth(line: Line, row: Row) -> None:
    line.proxy.limit(4000)
    said, prompt = line.say(), line.noise()
    line.end.play(prompt)
    line.proxy.heal()
    line.hears(prompt)
    line.is_as(row, said)


@fault("stop reading")
def test_stop_reading(line: Line, row: Row) -> None:
    prompt = line.queue()
    line.proxy.stop_reading()
    said = line.say()
    line.plays(prompt)
    line.proxy.heal()
    line.is_as(row, said)


@fault("cut")
def test_cut(line: Line, row: Row) -> None:
    prompt = line.queue()
    line.proxy.cut()
    said = line.say()
    if row.lost is not Lost.REST:
        line.plays(prompt)
    line.is_as(row, said)
    if row.lost is Lost.REST:
        assert not line.has_been_heard(prompt)


@fault("reset")
def test_reset(line: Line, row: Row) -> None:
    prompt = line.queue()
    line.proxy.reset()
    said = line.say()
    line.plays(prompt)
    line.is_as(row, said)


@fault("half-open")
def test_half_open(make_line: OpenLine, row: Row, kind: str) -> None:
    line = make_line("" if kind == "audiosocket" else "ping-secs=1")
    line.open()
    prompt = line.queue()
    line.proxy.swallow()
    said = line.say()
    line.plays(prompt)
    line.is_as(row, said)


@fault("away")
def test_away(line: Line, row: Row) -> None:
    prompt = line.queue()
    line.proxy.refuse()
    line.proxy.reset()
    line.platform.event("connection_closed", line.call, willReconnect=True)
    said = line.say()
    line.plays(prompt)
    line.proxy.heal()
    if row.lost is not Lost.AWAY:
        line.reaches(said)
    line.is_as(row, said)
    until(lambda: line.platform.status(line.call)["state"] == "streaming")
