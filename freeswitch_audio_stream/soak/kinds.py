"""The kinds of streams that a soak has: how one is started, and what its server reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .wires import AudioSocketWire, JsonWire, PlatformWire, RtpWire, Wire


@dataclass(frozen=True)
class Kind:
    """A wire protocol on its transport, two-way."""

    name: str
    protocol: str
    """The setting `protocol`; empty where the scheme says it all."""
    scheme: str
    """Of the URL."""
    open: Callable[[], Wire]
    """Return a connection's session."""
    rate: int = 8000
    """Hz, of the call and the stream alike: so no sample is changed on its way."""


KINDS = {kind.name: kind for kind in (
    Kind("json", "json", "ws", JsonWire), Kind("binary", "binary", "ws", Wire), Kind("sln", "sln", "ws", Wire),
    *(Kind(name, name, "ws", PlatformWire) for name in ("twilio", "telnyx", "signalwire")),
    Kind("rtp", "rtp", "ws", RtpWire), Kind("audiosocket", "", "audiosocket", AudioSocketWire),
    Kind("http", "", "http", Wire, 16000), Kind("wss", "json", "wss", JsonWire),
    Kind("https", "", "https", Wire, 16000))}
"""By name."""

TLS_SCHEMES = ("wss", "https")


def caller_of(kind: Kind) -> Kind:
    """Return the kind of the stream on the other leg: the caller's mouth and ear."""
    return Kind("caller", "binary", "ws", Wire, kind.rate)
