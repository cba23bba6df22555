"""wss: accepted or refused exactly as the ``STREAM_TLS_*`` variables say, with an event that names the cause."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest

from freeswitch_audio_stream.testing.peers.recording_server import Server

from tests.transports import certificates
from tests.transports.certificates import DAY, Certificate, server_context

from ..harness import audible, find, noise, until
from .user import User

SPEECH = noise(8000, seed=1)


class Certificates(NamedTuple):
    ca: Certificate
    """A private CA, which the system does not know, and which has signed the next three."""
    good: Certificate
    expired: Certificate
    elsewhere: Certificate
    """For another host."""
    self_signed: Certificate
    client: Certificate
    """By another CA."""
    client_ca: Certificate


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca, client_ca = (certificates.make(folder, name, ca=True, hosts=()) for name in ("ca", "client-ca"))

    def signed(name: str, **options: Any) -> Certificate:
        return certificates.make(folder, name, **{"issuer": ca, **options})
    return Certificates(
        ca, signed("good"), signed("expired", begins=-2 * DAY, ends=-timedelta(hours=1)),
        signed("elsewhere", hosts=("elsewhere.example",)), certificates.make(folder, "self-signed"),
        signed("client", issuer=client_ca, hosts=()), client_ca)


def variables(made: Certificates, **chosen: str) -> dict[str, str]:
    """Names of certificates in the values stand for their files."""
    return {f"STREAM_TLS_{name}": str(getattr(made, value).file) if value in made._fields else value
            for name, value in chosen.items()}


ACCEPTED: dict[str, tuple[str, dict[str, str]]] = {
    "private CA": ("good", {"CA_FILE": "ca"}),
    "nothing is verified": ("good", {"CA_FILE": "NONE"}),
    "nothing is verified, self-signed": ("self_signed", {"CA_FILE": "none"}),
    "nothing is verified, expired": ("expired", {"CA_FILE": "NONE"}),
    "nothing is verified, wrong host": ("elsewhere", {"CA_FILE": "NONE"}),
    "self-signed is its own CA": ("self_signed", {"CA_FILE": "self_signed"}),
    "wrong host": ("elsewhere", {"CA_FILE": "ca", "DISABLE_HOSTNAME_VALIDATION": "true"}),
    "a client's certificate nobody asks for": ("good", {"CA_FILE": "ca", "CERT_FILE": "client"}),
    "NONE for the client's files": ("good", {"CA_FILE": "ca", "CERT_FILE": "NONE", "KEY_FILE": "NONE"}),
}

REFUSED: dict[str, tuple[str, dict[str, str], str]] = {
    "unknown CA": ("good", {}, "unknown CA"),
    "SYSTEM does not know it either": ("good", {"CA_FILE": "SYSTEM"}, "unknown CA"),
    "another CA": ("good", {"CA_FILE": "client_ca"}, "unknown CA"),
    "expired": ("expired", {"CA_FILE": "ca"}, "expired"),
    "expired, any host": ("expired", {"CA_FILE": "ca", "DISABLE_HOSTNAME_VALIDATION": "true"}, "expired"),
    "wrong host": ("elsewhere", {"CA_FILE": "ca"}, "another host"),
    "the remedy": ("elsewhere", {"CA_FILE": "ca"}, "set STREAM_TLS_DISABLE_HOSTNAME_VALIDATION"),
    "another remedy": ("good", {}, "set STREAM_TLS_CA_FILE to the CA's certificate"),
    "wrong host, explicitly": ("elsewhere", {"CA_FILE": "ca", "DISABLE_HOSTNAME_VALIDATION": "false"}, "another host"),
    "self-signed": ("self_signed", {}, "self-signed"),
    "self-signed, another CA": ("self_signed", {"CA_FILE": "ca"}, "self-signed"),
    "self-signed, any host": ("self_signed", {"DISABLE_HOSTNAME_VALIDATION": "true"}, "self-signed"),
}

OUR_FILES: dict[str, tuple[dict[str, str], str]] = {
    "no such CA file": ({"CA_FILE": "/nowhere/ca.pem"}, "/nowhere/ca.pem cannot be read: No such file"),
    "no such client file": ({"CERT_FILE": "/nowhere/c.pem"}, "certificate /nowhere/c.pem cannot be read: No such file"),
    "no such key file": ({"CERT_FILE": "client", "KEY_FILE": "/nowhere/k.pem"}, "key /nowhere/k.pem cannot be read"),
    "a key without a certificate": ({"KEY_FILE": "client"}, "without a certificate"),
    "another's key": ({"CERT_FILE": "client", "KEY_FILE": "good"}, "does not belong"),
}


@pytest.mark.parametrize("certificate, chosen", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(user: User, made: Certificates, certificate: str, chosen: dict[str, str]) -> None:
    with Server(ssl=server_context(getattr(made, certificate))) as server:
        call = user.call(variables=variables(made, **chosen))
        peer = user.connect(server, call, "mono 8k hello")
        call.say(SPEECH)
        peer.wait_for(lambda peer: find(peer.audio(), SPEECH) >= 0)
        assert peer.messages[0] == "hello"
        user.tell(call, "stop bye")
        assert peer.closed() == 1000 and peer.texts == ["hello", "bye"]


@pytest.mark.parametrize("certificate, chosen, cause", REFUSED.values(), ids=REFUSED)
def test_refused(user: User, made: Certificates, certificate: str, chosen: dict[str, str], cause: str) -> None:
    with Server(ssl=server_context(getattr(made, certificate))) as server:
        assert cause in refused(user, server, variables(made, **chosen))


@pytest.mark.parametrize("chosen, cause", OUR_FILES.values(), ids=OUR_FILES)
def test_a_file_of_ours(user: User, made: Certificates, chosen: dict[str, str], cause: str) -> None:
    """Each kind of damage is in tests/transports/test_tls.py; here, that the event says so."""
    with Server(ssl=server_context(made.good)) as server:
        assert cause in refused(user, server, variables(made, **{"CA_FILE": "ca", **chosen}), code=7)


def refused(user: User, server: Server, chosen: dict[str, str], code: int = 8) -> str:
    """The text of the event."""
    call = user.call(variables=chosen)
    user.start(call, server.url)
    message = user.event("error", call)["message"]
    user.ended(call)
    assert message["code"] == code, message
    assert server.peers == [] and user.names(call) == ["error"]
    text: str = message["error"]
    return text


def test_the_cause_comes_with_its_place(user: User, made: Certificates) -> None:
    with Server(ssl=server_context(made.expired)) as server:
        assert f"127.0.0.1:{server.port}" in refused(user, server, variables(made, CA_FILE="ca"))


# Mutual TLS.

def mutual(made: Certificates) -> ssl.SSLContext:
    context = server_context(made.good)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(made.client_ca.file)
    return context


@pytest.mark.parametrize("chosen", [{"CERT_FILE": "client"}, {"CERT_FILE": "client", "KEY_FILE": "client"}],
                         ids=["one file", "two files"])
def test_a_client_that_shows_its_certificate(user: User, made: Certificates, chosen: dict[str, str]) -> None:
    with Server(ssl=mutual(made)) as server:
        call = user.call(variables=variables(made, CA_FILE="ca", **chosen))
        peer = user.connect(server, call, "mono 8k hello")
        peer.wait_for(lambda peer: len(peer.chunks) >= 10)


@pytest.mark.parametrize("version, chosen, cause", [
    (ssl.TLSVersion.TLSv1_2, {}, "handshake failure"),  # this version has no word for it
    (ssl.TLSVersion.TLSv1_2, {"CERT_FILE": "good"}, "does not accept the client's certificate"),
    (ssl.TLSVersion.TLSv1_3, {}, "asks for a client's certificate"),
    (ssl.TLSVersion.TLSv1_3, {"CERT_FILE": "good"}, "does not accept the client's certificate")])
def test_a_client_that_cannot(user: User, made: Certificates, version: ssl.TLSVersion, chosen: dict[str, str],
                              cause: str) -> None:
    context = mutual(made)
    context.minimum_version = context.maximum_version = version
    with Server(ssl=context) as server:
        assert cause in refused(user, server, variables(made, CA_FILE="ca", **chosen))


# Addresses, names, versions.

def test_ipv6(user: User, made: Certificates) -> None:
    with Server(host="::1", ssl=server_context(made.good)) as server:
        assert "[::1]" in server.url
        peer = user.connect(server, user.call(variables=variables(made, CA_FILE="ca")))
        peer.wait_for(lambda peer: len(peer.chunks) >= 10)


def test_the_server_is_told_the_name(user: User, made: Certificates) -> None:
    names: list[str | None] = []
    context = server_context(made.good)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with Server(host="localhost", ssl=context) as server:
        user.connect(server, user.call(variables=variables(made, CA_FILE="ca")))
        assert names == ["localhost"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_versions(user: User, made: Certificates, version: ssl.TLSVersion) -> None:
    context = server_context(made.good)
    context.minimum_version = context.maximum_version = version
    with Server(ssl=context) as server:
        peer = user.connect(server, user.call(variables=variables(made, CA_FILE="ca")))
        peer.wait_for(lambda peer: len(peer.chunks) >= 10)


# What it carries.

def test_both_directions(user: User, made: Certificates) -> None:
    with Server(ssl=server_context(made.good)) as server:
        call = user.call(app="playback", STREAM_PLAYBACK="true", STREAM_SAMPLE_RATE="8000",
                         variables=variables(made, CA_FILE="ca"))
        peer = user.connect(server, call, "stereo 8k hello")
        said = noise(80000, seed=2)
        for begin in range(0, len(said), 4001):
            peer.send(said[begin:begin + 4001].astype("<i2").tobytes())
        call.say(SPEECH)
        peer.wait_for(lambda peer: find(np.ascontiguousarray(peer.audio(2)[:, 0]), SPEECH) >= 0)
        until(lambda: len(audible(call.heard())) >= len(said))
        assert np.array_equal(audible(call.heard()), said)


def test_a_connection_that_breaks_is_made_again(user: User, made: Certificates) -> None:
    with Server(ssl=server_context(made.good)) as server:
        call = user.call(speech=noise(400000), speed=2, variables=variables(made, CA_FILE="ca"))
        first = user.connect(server, call, "mono 8k hello")
        first.wait_for(lambda peer: len(peer.chunks) >= 10)
        first.drop()
        user.event("disconnect", call)
        said = len(call.spoken())
        second = server.wait_for_peer(2)
        second.wait_for(lambda peer: len(peer.chunks) >= 50)
        assert second.messages[0] == "hello"
        assert 0 <= find(call.spoken(), second.audio()) <= said


def test_a_server_that_changes_its_certificate_for_a_bad_one(user: User, made: Certificates) -> None:
    """What was verified once is verified every time."""
    with Server(ssl=server_context(made.good)) as server:
        call = user.call(STREAM_RECONNECT_MAX="1", variables=variables(made, CA_FILE="ca"))
        user.connect(server, call)
        server.kill()
        server.change(ssl=server_context(made.self_signed))
        server.restart()
        assert user.event("error", call)["message"]["code"] == 1, "the loss"
        message = user.event("error", call, 2)["message"]
        assert message["code"] == 8 or "refuse" in message["error"]
        user.ended(call)
        assert len(server.peers) == 1
