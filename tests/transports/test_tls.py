"""Each "allow" loosens exactly what it names: every certificate against every option."""

from __future__ import annotations

import socket
import ssl
import threading
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from freeswitch_audio_stream.errors import TlsRefused
from freeswitch_audio_stream.transports import TlsOptions, tcp
from freeswitch_audio_stream.transports.attempt import Attempt, Cancel
from freeswitch_audio_stream.transports.tls import TlsSession, open_session

from . import certificates
from .certificates import Certificate, server_context
from .peers import Peer, read_all


def open_to(peer: Peer, options: TlsOptions, host: str | None = None) -> TlsSession:
    attempt = Attempt(peer.place, 30, Cancel())
    addresses = tcp.resolve(peer.host, peer.port, attempt)
    return open_session(lambda: tcp.connect(addresses, attempt), host or peer.host, options, attempt)


def outcome(certificate: Certificate, options: TlsOptions, host: str | None = None) -> str:
    """"open", or why not."""
    with Peer(read_all_or_fail, context=server_context(certificate)) as peer:
        try:
            session = open_to(peer, options, host)
        except TlsRefused as refusal:
            assert peer.place in str(refusal)
            return str(refusal)
        session.sock.close()
        return "open"


def read_all_or_fail(connection: socket.socket) -> None:
    read_all(connection)


ACCEPTED: dict[str, set[str]] = {
    # certificate: which settings, and no fewer, are needed to accept it (the private CA is always given)
    "good": set(),
    "expired": {"allow_expired"},
    "elsewhere": {"skip_hostname_check"},
    "self_signed": {"allow_selfsigned"},
    "self_signed_expired": {"allow_selfsigned", "allow_expired"},
    "self_signed_elsewhere": {"allow_selfsigned", "skip_hostname_check"},
    "not_yet": {"nothing accepts it"},
}
ALLOWS = ("allow_expired", "allow_selfsigned", "skip_hostname_check")
SUBSETS = [subset for size in range(len(ALLOWS) + 1) for subset in combinations(ALLOWS, size)]


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("allowed", SUBSETS, ids=lambda allowed: "+".join(allowed) or "strict")
def test_every_certificate_against_every_option(name: str, allowed: tuple[str, ...], ca: Certificate,
                                                request: pytest.FixtureRequest) -> None:
    options: dict[str, Any] = dict.fromkeys(allowed, True)
    result = outcome(request.getfixturevalue(name), TlsOptions(ca_file=str(ca.file), **options))
    assert (result == "open") == (ACCEPTED[name] <= set(allowed)), result


@pytest.mark.parametrize("name, word", [
    ("expired", "allow_expired"), ("elsewhere", "skip_server_cert_hostname_check"),
    ("self_signed", "allow_selfsigned"), ("not_yet", "clock")])
def test_a_refusal_names_the_remedy(name: str, word: str, ca: Certificate,
                                    request: pytest.FixtureRequest) -> None:
    assert word in outcome(request.getfixturevalue(name), TlsOptions(ca_file=str(ca.file)))


def test_the_systems_cas_are_the_default(good: Certificate) -> None:
    result = outcome(good, TlsOptions())
    assert "unknown CA" in result and "tls_ca_file" in result


def test_allowing_self_signed_certificates_does_not_allow_unknown_cas(good: Certificate) -> None:
    assert "unknown CA" in outcome(good, TlsOptions(allow_selfsigned=True))


def test_a_self_signed_certificate_is_trusted_alone_and_not_what_it_signs(folder: Path) -> None:
    first = certificates.make(folder, "signer", ca=True)
    second = certificates.make(folder, "signed", issuer=first)
    contexts = iter([server_context(first), server_context(first), server_context(second)])

    def serve(connection: socket.socket) -> None:
        read_all(next(contexts).wrap_socket(connection, server_side=True))

    with Peer(serve) as peer, pytest.raises(TlsRefused, match="then one that the first has signed"):
        open_to(peer, TlsOptions(allow_selfsigned=True))


def test_the_host_name_is_sent_and_checked(good: Certificate, ca: Certificate) -> None:
    seen: list[str | None] = []
    context = server_context(good)
    context.sni_callback = lambda _connection, name, _context: seen.append(name)
    with Peer(read_all_or_fail, context=context) as peer:
        open_to(peer, TlsOptions(ca_file=str(ca.file)), host="localhost").sock.close()
    assert seen == ["localhost"]


def test_ipv6(good: Certificate, ca: Certificate) -> None:
    with Peer(read_all_or_fail, host="::1", context=server_context(good)) as peer:
        open_to(peer, TlsOptions(ca_file=str(ca.file))).sock.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_work_alone(version: ssl.TLSVersion, good: Certificate, ca: Certificate) -> None:
    context = server_context(good)
    context.minimum_version = context.maximum_version = version
    with Peer(read_all_or_fail, context=context) as peer:
        open_to(peer, TlsOptions(ca_file=str(ca.file))).sock.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused(good: Certificate, ca: Certificate) -> None:
    context = server_context(good)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Peer(read_all_or_fail, context=context) as peer, pytest.raises(TlsRefused, match="TLS 1.2"):
        open_to(peer, TlsOptions(ca_file=str(ca.file)))


def test_a_server_without_tls_is_named_as_such() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        read_all(connection)

    with Peer(serve) as peer, pytest.raises(TlsRefused, match="use ws:// instead"):
        open_to(peer, TlsOptions())


def test_a_server_that_hangs_up_in_the_handshake() -> None:
    with Peer(lambda connection: None) as peer, pytest.raises(TlsRefused, match="ended the TLS handshake"):
        open_to(peer, TlsOptions())


def test_a_clients_certificate_is_presented(good: Certificate, ca: Certificate) -> None:
    subjects: list[Any] = []
    done = threading.Event()
    context = server_context(good)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca.file)

    def serve(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        subjects.append((connection.getpeercert() or {})["subject"])
        done.set()
        read_all(connection)

    with Peer(serve, context=context) as peer:
        session = open_to(peer, TlsOptions(ca_file=str(ca.file), cert_file=str(good.file)))
        assert done.wait(30)
        session.sock.close()
    assert subjects == [((("commonName", "good"),),)]


@pytest.mark.parametrize("option", ["ca_file", "cert_file"])
@pytest.mark.parametrize("content", [None, "not PEM"])
def test_files_that_cannot_be_used_are_named(option: str, content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    options: dict[str, Any] = {option: str(file)}
    with Peer(read_all_or_fail) as peer, pytest.raises(TlsRefused, match="file.pem"):
        open_to(peer, TlsOptions(**options))
