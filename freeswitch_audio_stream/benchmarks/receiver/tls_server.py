"""TLS for the receiver: Python makes the handshake, then the compiled loop reads and writes the session itself."""

from __future__ import annotations

import ipaddress
import select
import socket
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from ...realtime.records import TLS
from ...transports.openssl import LIBRARY, OpenSslSession
from ..errors import BenchError

_DAY = timedelta(days=1)


def make_certificate(file: Path) -> None:
    """Write a certificate for 127.0.0.1 that signs itself, with its key, as PEM. Raise BenchError where it cannot."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise BenchError("wss needs a certificate, and the Python package cryptography to make one: install it, or "
                         "measure with --transports ws") from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
              .serial_number(x509.random_serial_number()).not_valid_before(now - _DAY).not_valid_after(now + _DAY)
              .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
              .add_extension(address, critical=False).sign(key, hashes.SHA256()))
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()) + signed.public_bytes(serialization.Encoding.PEM))


class TlsConnection:
    """The server's end of a session; blocks, until the compiled loop takes it over."""

    def __init__(self, session: ssl.SSLObject, native: OpenSslSession, connection: socket.socket,
                 patience: float) -> None:
        self._session = session
        self._native = native
        self._connection = connection
        self._patience = patience
        self._record = np.zeros(1, TLS)
        for name, address in native.addresses.items():
            self._record[name] = address
        self.address = int(self._record.ctypes.data)
        """Of the TLS record, which lives as long as this."""

    def handshake(self) -> None:
        """Do the TLS handshake; raise OSError if it fails, or takes longer than the patience."""
        while True:
            try:
                return self._session.do_handshake()
            except ssl.SSLWantReadError:
                self._wait()

    def recv(self, size: int, /) -> bytes:
        """At least one byte; none at the end. Raise OSError."""
        while True:
            try:
                return self._session.read(size)
            except ssl.SSLWantReadError:
                self._wait()
            except ssl.SSLZeroReturnError:
                return b""

    def sendall(self, data: bytes, /) -> None:
        """A few bytes, for which a fresh socket always has room. Raise OSError."""
        self._session.write(data)

    def _wait(self) -> None:
        waiting = select.poll()
        waiting.register(self._connection, select.POLLIN)
        if not waiting.poll(1000 * self._patience):
            raise TimeoutError("the client says nothing")


class TlsServer:
    """Makes the server's ends of sessions, with the settings that Python has for servers."""

    def __init__(self, certificate: Path) -> None:
        if LIBRARY is None:
            raise BenchError("this Python's OpenSSL cannot be reached by compiled code: measure with --transports ws")
        self._library = LIBRARY
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.num_tickets = 0  # nobody resumes

    def accept(self, connection: socket.socket, patience: float) -> TlsConnection:
        """Make the handshake; the socket does not block afterwards. Raise OSError."""
        connection.setblocking(False)
        session = self._context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
        native = self._library.adopt(session, connection.fileno())
        if native is None:
            raise OSError("the session's memory is not where it should be")
        end = TlsConnection(session, native, connection, patience)
        end.handshake()
        return end
