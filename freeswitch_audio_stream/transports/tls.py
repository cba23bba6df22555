"""TLS: what is verified, what each "allow" loosens, and what to tell a person when a handshake fails.

By default the server must present a certificate that is valid now, for the host in the URL, signed by a CA
that this machine trusts. Every option loosens one of these and leaves the others as strict as they are:

    ca_file              these CAs instead of the system's
    allow_expired        the end of validity does not count; a certificate that is not valid yet is refused
    allow_selfsigned     a certificate that signs itself is trusted, for this one connection: it alone, and
                         nothing it may have signed; host name and validity are still checked
    skip_hostname_check  any name will do
    verify=False         nothing is verified: the connection is encrypted, but the server is not authenticated

Sessions are held in memory (`ssl.SSLObject`); the socket stays an ordinary one beside them. Where OpenSSL can be
reached (see `openssl`), compiled code then takes the session over. Elsewhere a relay carries it, which has to end its
sending half alone: `ssl.SSLSocket.unwrap` throws away what the server is still sending.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterator

from ..errors import TlsFileRefused, TlsRefused
from .attempt import Attempt
from .openssl import OpenSsl, OpenSslSession

CHUNK_BYTES = 16384
"""Read and written at once: the most that one TLS record carries."""

# Verification results of OpenSSL (x509_vfy.h) that have a remedy of their own.
_NOT_YET_VALID = 9
_EXPIRED = 10
_SELF_SIGNED = 18
_UNKNOWN_CA = (2, 19, 20, 21, 27)
_WRONG_NAME = (62, 64)

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME, for which Python has no name


@dataclass(frozen=True)
class TlsOptions:
    """What to verify, and what to present. Files are PEM; "" = none."""

    ca_file: str = ""
    verify: bool = True
    """False: any certificate is accepted, so the connection is encrypted but the server is not authenticated."""
    allow_selfsigned: bool = False
    allow_expired: bool = False
    skip_hostname_check: bool = False
    cert_file: str = ""
    """The client's certificate, for servers that ask for one."""
    key_file: str = ""
    """Its key, not encrypted; "" = it is in `cert_file`."""


class TlsSession:
    """A client's TLS session over a non-blocking socket, which it reads and writes but does not own.

    `recv` and `send` work as on a non-blocking socket. Used by one thread at a time.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        """`host`: for SNI and to check the certificate. Raise ValueError when it cannot be a name."""
        self.sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._unsent = memoryview(b"")

    def shake_hands(self, attempt: Attempt) -> None:
        """Block until the session is open. Raise `ssl.SSLError` and OSError."""
        try:
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    attempt.complete(self.flush, self.sock, select.POLLOUT)
                    attempt.complete(self._fill, self.sock, select.POLLIN)
        except ssl.SSLError:
            with suppress(OSError):
                self.flush()  # the alert that tells the server why
            raise
        attempt.complete(self.flush, self.sock, select.POLLOUT)

    def certificate(self) -> bytes:
        """The server's certificate, DER."""
        return self._tls.getpeercert(binary_form=True) or b""

    def valid_from(self) -> float:
        """When the (verified) certificate of the server became valid, in seconds of `time.time`."""
        return ssl.cert_time_to_seconds(str((self._tls.getpeercert() or {})["notBefore"]))

    def recv(self) -> bytes:
        """All that has come, b"" at the end. Raise BlockingIOError when nothing has, OSError when broken.

        It leaves no whole record undecrypted, on which `end` relies.
        """
        parts: list[bytes] = []
        while True:
            try:
                part = self._tls.read(CHUNK_BYTES)
            except ssl.SSLWantReadError:
                if parts:
                    break
                self._fill()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # the latter: an end without close_notify
                break
            except ssl.SSLError:
                if not parts:
                    raise
                break
            else:
                if not part:
                    break
                parts.append(part)
        return b"".join(parts)

    def send(self, data: bytes | memoryview) -> int:
        """Encrypt `data`, which `flush` then puts on its way. The number of bytes taken.

        Raise BlockingIOError, having taken nothing, while earlier bytes are not on their way; OSError.
        """
        self.flush()
        return self._tls.write(data)

    def flush(self) -> None:
        """Hand what is encrypted to the socket; BlockingIOError while it does not take all of it; OSError."""
        while True:
            if not self._unsent:
                self._unsent = memoryview(self._outgoing.read(CHUNK_BYTES))
            if not self._unsent:
                return
            self._unsent = self._unsent[self.sock.send(self._unsent):]

    def end(self) -> None:
        """Say that nothing more will be sent (close_notify; `flush` sends it). Receiving goes on.

        What has come with the handshake must have been received before: OpenSSL discards it here.
        """
        with suppress(ssl.SSLError):  # SSLWantReadError: the server's own end has not come yet
            self._tls.unwrap()

    def hand_over(self, library: OpenSsl) -> OpenSslSession | None:
        """The session for compiled code, which from now on is its only user; None, and nothing changed, where that
        is not possible. Everything that came has been received, and everything sent is flushed.
        """
        return library.adopt(self._tls, self.sock.fileno())

    def _fill(self) -> None:
        data = self.sock.recv(CHUNK_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def open_session(connect: Callable[[], socket.socket], host: str, options: TlsOptions,
                 attempt: Attempt) -> TlsSession:
    """An open session over a connection that `connect` makes; the caller then owns its socket.

    `connect` is called again where a self-signed certificate is to be trusted: the session that showed it has
    failed. Blocks up to the attempt's deadline. Raise `TlsRefused`.
    """
    context = _context(options)
    try:
        session = _open(connect(), host, context, attempt)
    except ssl.SSLCertVerificationError as error:
        if not (options.allow_selfsigned and error.verify_code == _SELF_SIGNED):
            raise refusal(error, attempt.where) from error
        session = _open_self_signed(connect, host, options, attempt)
    # OpenSSL ignores either both ends of the validity or none.
    if options.verify and options.allow_expired and session.valid_from() > time.time():
        session.sock.close()
        raise TlsRefused(_not_yet_valid(attempt.where))
    return session


def refusal(error: OSError, where: str) -> TlsRefused:
    """What to tell a person about an exception of the ssl module, or a connection that broke meanwhile."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsRefused(_verification_text(error, where))
    return TlsRefused(_failure_text(error, where))


def _context(options: TlsOptions, only: bytes | None = None) -> ssl.SSLContext:
    """A verifying client's context; `only`, a DER certificate, is then the one thing trusted.

    Not `ssl.create_default_context`, whose checks differ between versions of Python.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION  # so that writing never has to wait for reading
    made.check_hostname = options.verify and not options.skip_hostname_check
    if options.verify:
        _trust(made, options, only)
    else:
        made.verify_mode = ssl.CERT_NONE
    if options.cert_file or options.key_file:
        _present(made, options.cert_file, options.key_file or options.cert_file)
    return made


def _trust(context: ssl.SSLContext, options: TlsOptions, only: bytes | None) -> None:
    if options.allow_expired:
        context.verify_flags |= _NO_CHECK_TIME
    if only is not None:
        context.load_verify_locations(cadata=only)
    elif options.ca_file:
        with _naming("tls_ca_file", options.ca_file):
            context.load_verify_locations(options.ca_file)
    else:
        context.load_default_certs()


def _present(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    # OpenSSL would not say in which of the two files what is wrong.
    if not cert_file:
        raise TlsFileRefused(f"the client's key {key_file} is of no use without a certificate: set that too")
    if "-----BEGIN CERTIFICATE-----" not in _text("the client's certificate", cert_file):
        raise TlsFileRefused(f"the client's certificate {cert_file} holds no certificate in PEM")
    key = _text("the client's key", key_file)
    if "PRIVATE KEY-----" not in key:
        raise TlsFileRefused(f"the client's key {key_file} holds no private key in PEM")
    if "ENCRYPTED" in key:
        raise TlsFileRefused(f"the client's key {key_file} is encrypted: store it without a passphrase")
    with _naming("the client's certificate", cert_file):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert_file)
    with _naming("the client's key", key_file, cert_file):
        # Without a password OpenSSL would ask for one on the terminal, and wait.
        context.load_cert_chain(cert_file, key_file, password="")


def _text(what: str, name: str) -> str:
    with _naming(what, name):
        return Path(name).read_text("latin-1")


@contextmanager
def _naming(what: str, name: str, cert_file: str = "") -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        if "MISMATCH" in (error.reason or ""):
            raise TlsFileRefused(f"the client's key {name} does not belong to its certificate {cert_file}") from error
        raise TlsFileRefused(f"{what} {name} cannot be used: it holds no usable PEM") from error
    except OSError as error:
        raise TlsFileRefused(f"{what} {name} cannot be read: {error.strerror}") from error


def _open(sock: socket.socket, host: str, context: ssl.SSLContext, attempt: Attempt) -> TlsSession:
    """A session over `sock`. Raise `TlsRefused`, but for certificates `ssl.SSLCertVerificationError`."""
    try:
        session = TlsSession(sock, context, host)
        with attempt.holding(sock):
            session.shake_hands(attempt)
        return session
    except BaseException as error:
        sock.close()
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise TlsRefused(f"no certificate can be for the host of {attempt.where}: {error}") from error
        if isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError):
            raise refusal(error, attempt.where) from error
        raise


def _open_self_signed(connect: Callable[[], socket.socket], host: str, options: TlsOptions,
                      attempt: Attempt) -> TlsSession:
    """Fetch the certificate, which a failed verification hides, and begin again trusting only that."""
    glance = _open(connect(), host, _context(replace(options, verify=False)), attempt)
    glance.sock.close()
    context = _context(options, only=glance.certificate())
    try:
        session = _open(connect(), host, context, attempt)
    except ssl.SSLCertVerificationError as error:
        raise refusal(error, attempt.where) from error
    if session.certificate() != glance.certificate():
        session.sock.close()
        raise TlsRefused(f"{attempt.where} showed a self-signed certificate, and then one that the first has "
                         "signed: put the first into tls_ca_file if this is meant")
    return session


def _not_yet_valid(where: str) -> str:
    return f"the certificate of {where} is not valid yet: compare its dates with this machine's clock"


def _verification_text(error: ssl.SSLCertVerificationError, where: str) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return f"the certificate of {where} has expired: renew it, or set allow_expired to accept it as it is"
    if code == _NOT_YET_VALID:
        return _not_yet_valid(where)
    if code == _SELF_SIGNED:
        return f"the certificate of {where} is self-signed: set allow_selfsigned, or put it into tls_ca_file"
    if code in _WRONG_NAME:
        return (f"the certificate of {where} is for another host ({error.verify_message}): use a name it is "
                "for, or set skip_server_cert_hostname_check")
    if code in _UNKNOWN_CA:
        return (f"the certificate of {where} is signed by an unknown CA ({error.verify_message}): set "
                "tls_ca_file to the CA's certificate, and let the server send its whole chain")
    return f"the certificate of {where} cannot be trusted: {error.verify_message}"


def _failure_text(error: OSError, where: str) -> str:
    reason = str(getattr(error, "reason", None) or error.strerror or error).replace("_", " ").lower()
    if any(sign in reason for sign in ("wrong version", "http request", "record layer", "packet length")):
        return f"{where} does not speak TLS ({reason}): use ws:// instead of wss://, or the port for wss"
    if "unsupported protocol" in reason or "protocol version" in reason:
        return f"{where} has no TLS version in common with us ({reason}): let it allow TLS 1.2 or 1.3"
    if "certificate required" in reason:
        return f"{where} asks for a client's certificate ({reason}), and none is set"
    if "alert" in reason and ("certificate" in reason or "unknown ca" in reason):
        return f"{where} does not accept the client's certificate ({reason}): its log may say why"
    if "alert handshake failure" in reason:  # before TLS 1.3 that is all a server says when it misses one
        return f"{where} ended the TLS handshake ({reason}): does it ask for a client's certificate?"
    return f"{where} ended the TLS handshake ({reason}): its log may say why"
