"""What each fault does to each kind of stream: the documentation's table and the tests' parameters, in one place.

    python -m tests.faults.table

prints the rows as they stand on the page ``docs/reference/faults.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pytest

KINDS = {"json": "`json`", "binary": "`binary`", "wss": "`json` over TLS", "rtp": "`rtp`",
         "audiosocket": "AudioSocket over TCP", "http": "HTTP"}
"""As tests call them, and as the page does."""
EVERY = tuple(KINDS)
WEB_SOCKETS = ("json", "binary", "wss", "rtp")
BROKEN = ("connection_closed", "connection_established")
OVER = ("connection_closed", "stream_stopped")


class Lost(Enum):
    """What the server never hears of the caller."""

    NOTHING = "nothing"
    UNDER_WAY = "what was under way on the connection"
    AWAY = "what the caller said until the connection was there again"
    REST = "what the caller said from then on"


@dataclass(frozen=True)
class Row:
    """The outcome of one fault for these kinds of stream."""

    fault: str
    kinds: tuple[str, ...]
    hears: str
    """What the caller does, of the server."""
    events: tuple[str, ...]
    """All that are told because of it, in order."""
    lost: Lost


QUEUED = "all that the server had sent"
LATE = "all, later"
SILENCE = "no more of it; the call goes on"

FAULTS = {
    "delay": "everything takes 50 ms longer, either way",
    "bandwidth": "the line carries less than the audio needs, for a while",
    "stop reading": "the server reads nothing for a while that is shorter than two pings",
    "cut": "the connection ends without a closing handshake",
    "reset": "the connection is reset",
    "half-open": "nothing arrives any more, and nobody says so",
    "away": "the connection breaks, and the server is away for a while",
}

TABLE = (
    Row("delay", EVERY, LATE, (), Lost.NOTHING),
    Row("bandwidth", EVERY, LATE, (), Lost.NOTHING),
    Row("stop reading", EVERY, LATE, (), Lost.NOTHING),
    Row("cut", WEB_SOCKETS, QUEUED, BROKEN, Lost.UNDER_WAY),
    Row("cut", ("audiosocket",), SILENCE, OVER, Lost.REST),
    Row("cut", ("http",), QUEUED, (), Lost.NOTHING),
    Row("reset", (*WEB_SOCKETS, "audiosocket"), QUEUED, BROKEN, Lost.UNDER_WAY),
    Row("reset", ("http",), QUEUED, (), Lost.NOTHING),
    Row("half-open", WEB_SOCKETS, QUEUED, BROKEN, Lost.AWAY),
    Row("half-open", ("audiosocket",), QUEUED, (), Lost.REST),
    Row("half-open", ("http",), QUEUED, BROKEN, Lost.NOTHING),
    Row("away", WEB_SOCKETS, QUEUED, BROKEN, Lost.UNDER_WAY),
    Row("away", ("http",), QUEUED, BROKEN, Lost.NOTHING),
    Row("away", ("audiosocket",), QUEUED, BROKEN, Lost.AWAY),
)


def fault(name: str) -> pytest.MarkDecorator:
    """Run a test, which is the only one of this fault, once for each kind of stream: parameters `kind` and `row`."""
    cells = [pytest.param(kind, row, id=kind) for row in TABLE if row.fault == name for kind in row.kinds]
    assert cells, f"the table has no fault {name!r}"
    return pytest.mark.parametrize("kind, row", cells)


def lines() -> list[str]:
    """The rows as Markdown."""
    found = []
    for row in TABLE:
        kinds = "all" if row.kinds == EVERY else ", ".join(KINDS[kind] for kind in row.kinds)
        events = ", ".join(f"`{event}`" for event in row.events) or "none"
        found.append(f"| {FAULTS[row.fault]} | {kinds} | {row.hears} | {events} | {row.lost.value} |")
    return found


if __name__ == "__main__":
    print("\n".join(lines()))
