from __future__ import annotations

import ssl
from pathlib import Path
from typing import Callable, Iterator

import pytest

from freeswitch_audio_stream.testing.peers.fault_proxy import FaultProxy

from ..engine.conftest import platform, running_platform  # noqa: F401
from ..engine.harness import Platform, until
from ..transports import certificates
from ..transports.certificates import Certificate
from . import ends
from .line import Line

OpenLine = Callable[..., Line]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="session")
def authority(folder: Path) -> Certificate:
    return certificates.make(folder, "authority", ca=True, hosts=())


@pytest.fixture
def tls(folder: Path, authority: Certificate) -> ssl.SSLContext:
    """The server's."""
    return certificates.server_context(certificates.make(folder, "good", issuer=authority))


@pytest.fixture
def end(kind: str, tls: ssl.SSLContext) -> Iterator[ends.End]:
    """The server of the kind that the test is for."""
    with ends.make(kind, tls) as made:
        yield made


@pytest.fixture
def make_line(platform: Platform, end: ends.End, kind: str, authority: Certificate  # noqa: F811
              ) -> Iterator[OpenLine]:
    """Makes the line of a test, which may have settings; it is not started."""
    made: list[Line] = []

    def make(settings: str = "") -> Line:
        trusted = f"tls-ca-file={authority.file}" if kind == "wss" else ""
        every = ",".join(filter(None, (settings, trusted)))
        made.append(Line(platform, end, FaultProxy(end.place), every))
        return made[-1]

    yield make
    for line in made:
        line.proxy.heal()
        line.call.hangup()
        until(lambda: platform.module.registry.execute("list") == "[]")
        line.proxy.__exit__()


@pytest.fixture
def line(make_line: OpenLine) -> Line:
    """A stream of the kind that the test is for, through a proxy; audio flows both ways."""
    made = make_line()
    made.open()
    return made
