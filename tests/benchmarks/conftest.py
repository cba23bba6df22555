"""One receiver for all tests, and one embedded switch beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from freeswitch_audio_stream.benchmarks.errors import BenchError
from freeswitch_audio_stream.benchmarks.measures.trial import Bench
from freeswitch_audio_stream.benchmarks.receiver.media_clients import MeasuredMediaServer
from freeswitch_audio_stream.benchmarks.receiver.receiver import Receiver
from freeswitch_audio_stream.benchmarks.receiver.tls_server import make_certificate
from freeswitch_audio_stream.benchmarks.switches.embedded import EmbeddedSwitchProcess
from freeswitch_audio_stream.benchmarks.work import OURS


@pytest.fixture(scope="session")
def _receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    certificate = tmp_path_factory.mktemp("certificate") / "server.pem"
    make_certificate(certificate)
    with Receiver(certificate) as receiver:
        yield receiver


@pytest.fixture
def receiver(_receiver: Receiver) -> Iterator[Receiver]:
    """It only listens."""
    yield _receiver
    _receiver.reply_never()
    _receiver.look_for_stamps()


@pytest.fixture(scope="session")
def media_server() -> MeasuredMediaServer | None:
    """That of the embedded switch; None where its packages are missing."""
    try:
        return MeasuredMediaServer()
    except BenchError:
        return None


@pytest.fixture(scope="session")
def _switch(media_server: MeasuredMediaServer | None) -> Iterator[EmbeddedSwitchProcess]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in media_server.environment.items() if media_server else ():
            patch.setenv(name, value)
        switch = EmbeddedSwitchProcess()
    yield switch
    switch.close()


@pytest.fixture
def bench(_switch: EmbeddedSwitchProcess, receiver: Receiver, media_server: MeasuredMediaServer | None,
          monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Our module in the embedded switch; it settles sooner than for a measurement."""
    monkeypatch.setattr("freeswitch_audio_stream.benchmarks.measures.trial.SETTLE_SECONDS", 0.1)
    if media_server is not None:
        media_server.wait()
    return Bench(_switch, OURS, receiver, media_server=media_server)


@pytest.fixture
def certificate(receiver: Receiver) -> Path:
    assert receiver.certificate is not None
    return receiver.certificate
