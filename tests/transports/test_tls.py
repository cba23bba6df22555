"""Each "allow" loosens exactly what it names: every certificate against every option."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from freeswitch_audio_stream.errors import TlsRefused
from freeswitch_audio_stream.testing.peers.listener import Listener, accept_websocket, read_all
from freeswitch_audio_stream.transports import TlsOptions, connect, tcp
from freeswitch_audio_stream.transports.attempt import Attempt, Cancel
from freeswitch_audio_stream.transports.tls import TlsSession, open_session

from . import certificates
from .certificates import Certificate, server_context


def open_to(peer: Listener, options: TlsOptions, host: str | None = None) -> TlsSession:
    attempt = Attempt(peer.place, 30, Cancel())
    addresses = tcp.resolve(peer.host, peer.port, attempt)
    return open_session(lambda: tcp.connect(addresses, attempt), host or peer.host, options, attempt)


def outcome(certificate: Certificate, options: TlsOptions, host: str | None = None) -> str:
    """"open", or why not."""
    with Listener(read_all_or_fail, context=server_context(certificate)) as peer:
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

    with Listener(serve) as peer, pytest.raises(TlsRefused, match="then one that the first has signed"):
        open_to(peer, TlsOptions(allow_selfsigned=True))


def test_the_host_name_is_sent_and_checked(good: Certificate, ca: Certificate) -> None:
    seen: list[str | None] = []
    context = server_context(good)
    context.sni_callback = lambda _connection, name, _context: seen.append(name)
    with Listener(read_all_or_fail, context=context) as peer:
        open_to(peer, TlsOptions(ca_file=str(ca.file)), host="localhost").sock.close()
    assert seen == ["localhost"]


def test_ipv6(good: Certificate, ca: Certificate) -> None:
    with Listener(read_all_or_fail, host="::1", context=server_context(good)) as peer:
        open_to(peer, TlsOptions(ca_file=str(ca.file))).sock.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_work_alone(version: ssl.TLSVersion, good: Certificate, ca: Certificate) -> None:
    context = server_context(good)
    context.minimum_version = context.maximum_version = version
    with Listener(read_all_or_fail, context=context) as peer:
        open_to(peer, TlsOptions(ca_file=str(ca.file))).sock.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused(good: Certificate, ca: Certificate) -> None:
    context = server_context(good)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Listener(read_all_or_fail, context=context) as peer, pytest.raises(TlsRefused, match="TLS 1.2"):
        open_to(peer, TlsOptions(ca_file=str(ca.file)))


def test_a_server_without_tls_is_named_as_such() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        read_all(connection)

    with Listener(serve) as peer, pytest.raises(TlsRefused, match="use ws:// instead"):
        open_to(peer, TlsOptions())


def test_a_server_that_hangs_up_in_the_handshake() -> None:
    with Listener(lambda connection: None) as peer, pytest.raises(TlsRefused, match="ended the TLS handshake"):
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

    with Listener(serve, context=context) as peer:
        session = open_to(peer, TlsOptions(ca_file=str(ca.file), cert_file=str(good.file)))
        assert done.wait(30)
        session.sock.close()
    assert subjects == [((("commonName", "good"),),)]


def requiring(client_ca: Certificate, server: Certificate, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A server's context that lets in clients with a certificate of `client_ca` only."""
    context = server_context(server)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(client_ca.file)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("wrong, words", [
    ("self_signed", "does not accept the client's certificate .*unknown ca"),
    ("expired", "does not accept the client's certificate .*expired"),
    ("", "ask(s)? for a client's certificate"),
])
def test_a_server_that_does_not_take_our_certificate(wrong: str, words: str, version: ssl.TLSVersion,
                                                     good: Certificate, ca: Certificate,
                                                     request: pytest.FixtureRequest) -> None:
    ours = str(request.getfixturevalue(wrong).file) if wrong else ""
    context = requiring(ca, good, version)

    def serve(connection: socket.socket) -> None:
        copy = connection.dup()
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)
        read_all(copy)  # or closing it would reset the connection, and the alert might be lost

    with Listener(serve) as peer, pytest.raises(TlsRefused, match=words) as refusal:
        connect(f"wss://{peer.place}/", timeout=30, tls=TlsOptions(ca_file=str(ca.file), cert_file=ours))
    assert peer.place in str(refusal.value)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("options", [{"verify": False}, {"allow_selfsigned": True}], ids=str)
def test_our_certificate_is_presented_to_servers_not_known_either(
        options: dict[str, bool], version: ssl.TLSVersion, self_signed: Certificate, good: Certificate,
        ca: Certificate) -> None:
    with Listener(read_all_or_fail, context=requiring(ca, self_signed, version)) as peer:
        open_to(peer, TlsOptions(cert_file=str(good.file), **options)).sock.close()
    # A self-signed certificate is refused once, before it is looked at and trusted.
    assert len(peer.failures) == ("allow_selfsigned" in options)


def test_certificate_and_key_in_two_files(good: Certificate, ca: Certificate, tmp_path: Path) -> None:
    cert, key = in_two_files(good, tmp_path)
    with Listener(read_all_or_fail, context=requiring(ca, good, ssl.TLSVersion.TLSv1_3)) as peer:
        open_to(peer, TlsOptions(ca_file=str(ca.file), cert_file=str(cert), key_file=str(key))).sock.close()
    assert not peer.failures


def in_two_files(certificate: Certificate, folder: Path) -> tuple[Path, Path]:
    pem = certificate.file.read_text()
    place = pem.index("-----BEGIN CERTIFICATE")
    (folder / "cert.pem").write_text(pem[place:])
    (folder / "key.pem").write_text(pem[:place])
    return folder / "cert.pem", folder / "key.pem"


def spoil(file: Path, how: str, other: Certificate) -> None:
    """Make a PEM file useless in one of the ways files are."""
    if how in ("missing", "a folder"):
        file.unlink()
    if how == "a folder":
        file.mkdir()
    elif how == "empty":
        file.write_text("")
    elif how == "binary":
        file.write_bytes(bytes(range(256)))
    elif how == "damaged":
        file.write_text(file.read_text().replace("\n", "\n!", 2))
    elif how == "unreadable":
        file.chmod(0)
    elif how == "another's":
        file.write_text(other.file.read_text())
    elif how == "encrypted":
        file.write_bytes(other.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret")))
    elif how == "encrypted as of old":
        file.write_bytes(other.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(b"secret")))


SPOILT = [
    ("ca_file", "missing", "ca.pem cannot be read: No such file"),
    ("ca_file", "a folder", "ca.pem cannot be"),
    ("ca_file", "empty", "ca.pem cannot be used: it holds no usable PEM"),
    ("ca_file", "binary", "ca.pem cannot be used: it holds no usable PEM"),
    ("ca_file", "unreadable", "ca.pem cannot be read: Permission denied"),
    ("cert_file", "missing", "certificate .*cert.pem cannot be read: No such file"),
    ("cert_file", "a folder", "certificate .*cert.pem cannot be read: Is a directory"),
    ("cert_file", "empty", "cert.pem holds no certificate in PEM"),
    ("cert_file", "binary", "cert.pem holds no certificate in PEM"),
    ("cert_file", "damaged", "cert.pem cannot be used: it holds no usable PEM"),
    ("cert_file", "unreadable", "cert.pem cannot be read: Permission denied"),
    ("cert_file", "another's", "key .*key.pem does not belong to its certificate .*cert.pem"),
    ("key_file", "missing", "key .*key.pem cannot be read: No such file"),
    ("key_file", "a folder", "key .*key.pem cannot be read: Is a directory"),
    ("key_file", "empty", "key.pem holds no private key in PEM"),
    ("key_file", "binary", "key.pem holds no private key in PEM"),
    ("key_file", "damaged", "key .*key.pem cannot be used: it holds no usable PEM"),
    ("key_file", "unreadable", "key.pem cannot be read: Permission denied"),
    ("key_file", "another's", "key .*key.pem does not belong to its certificate .*cert.pem"),
    ("key_file", "encrypted", "key.pem is encrypted: store it without a passphrase"),
    ("key_file", "encrypted as of old", "key.pem is encrypted: store it without a passphrase"),
]


@pytest.mark.parametrize("which, how, words", SPOILT, ids=lambda value: value if len(value) < 20 else "")
def test_a_file_that_cannot_be_used_is_named_with_the_cause(
        which: str, how: str, words: str, good: Certificate, self_signed: Certificate, ca: Certificate,
        tmp_path: Path) -> None:
    if how == "unreadable" and os.geteuid() == 0:
        pytest.skip("nothing is unreadable to root")
    cert, key = in_two_files(good, tmp_path)
    trusted = tmp_path / "ca.pem"
    trusted.write_text(ca.file.read_text())
    files = {"ca_file": trusted, "cert_file": cert, "key_file": key}
    spoil(files[which], how, self_signed)
    options = TlsOptions(**{name: str(file) for name, file in files.items()})
    with Listener(read_all_or_fail) as peer, pytest.raises(TlsRefused, match=words):
        open_to(peer, options)


def test_a_key_without_a_certificate(good: Certificate) -> None:
    with Listener(read_all_or_fail) as peer, pytest.raises(TlsRefused, match="key .*good.pem .*without a certif"):
        open_to(peer, TlsOptions(key_file=str(good.file)))


def test_a_certificate_whose_key_is_nowhere(good: Certificate, tmp_path: Path) -> None:
    cert, _ = in_two_files(good, tmp_path)
    with Listener(read_all_or_fail) as peer, pytest.raises(TlsRefused, match="cert.pem holds no private key"):
        open_to(peer, TlsOptions(cert_file=str(cert)))


@pytest.mark.parametrize("allowed", [(), ALLOWS], ids=["alone", "with every allow"])
@pytest.mark.parametrize("name", ACCEPTED)
def test_without_verification_every_server_will_do(name: str, allowed: tuple[str, ...],
                                                   request: pytest.FixtureRequest) -> None:
    options: dict[str, Any] = dict.fromkeys(allowed, True)
    assert outcome(request.getfixturevalue(name), TlsOptions(verify=False, **options)) == "open"
    assert outcome(request.getfixturevalue(name), TlsOptions(verify=False, ca_file="nowhere.pem")) == "open"


def test_without_verification_the_host_name_is_still_sent(good: Certificate) -> None:
    seen: list[str | None] = []
    context = server_context(good)
    context.sni_callback = lambda _connection, name, _context: seen.append(name)
    with Listener(read_all_or_fail, context=context) as peer:
        open_to(peer, TlsOptions(verify=False), host="some.example").sock.close()
    assert seen == ["some.example"]


@pytest.mark.parametrize("host, version, name", [
    ("127.0.0.1", ssl.TLSVersion.TLSv1_2, "127.0.0.1"), ("::1", ssl.TLSVersion.TLSv1_3, "::1"),
    ("127.0.0.1", ssl.TLSVersion.TLSv1_3, "localhost")])
def test_mutual_tls_and_a_private_ca_to_the_end(host: str, version: ssl.TLSVersion, name: str,
                                                good: Certificate, ca: Certificate) -> None:
    """A whole WebSocket, by name and by both kinds of address."""
    def answer(connection: socket.socket) -> None:
        accept_websocket(connection, after=b"\x81\x05hello")
        read_all(connection)

    with Listener(answer, host, requiring(ca, good, version)) as peer:
        place = peer.place.replace(peer.host, name) if name == "localhost" else peer.place
        connection = connect(f"wss://{place}/", timeout=30,
                             tls=TlsOptions(ca_file=str(ca.file), cert_file=str(good.file)))
        assert connection.leftover == b"\x81\x05hello" and connection.deflate is None
        connection.close()
        assert connection.join(30)
    assert not peer.failures


def test_a_name_that_leads_here_is_not_in_the_certificate(elsewhere: Certificate, ca: Certificate) -> None:
    with Listener(read_all_or_fail, context=server_context(elsewhere)) as peer:
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(TlsRefused, match="for another host .*skip_server_cert_hostname_check"):
                connect(f"wss://{host}:{peer.port}/", timeout=30, tls=TlsOptions(ca_file=str(ca.file)))
