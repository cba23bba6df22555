"""One attempt to reach a stream's server, on a thread of its own: it may wait for DNS, TCP, TLS and the handshake."""

from __future__ import annotations

from typing import Callable

from ...config import CA_NONE, ORIGIN_NONE, StreamSettings
from ...errors import AudioStreamError, ConnectError
from ...threads import start_thread
from ...transports import Cancel, Connection, TlsOptions, connect

Outcome = Connection | ConnectError


class Connector:
    """Ends by `on_done` (on the attempt's thread) with a connection or an error, also after `cancel`."""

    def __init__(self, url: str, settings: StreamSettings, timeout: float | None,
                 on_done: Callable[[Connector, Outcome], None]) -> None:
        """`timeout` in seconds, None = no limit."""
        self._url = url
        self._settings = settings
        self._timeout = timeout
        self._on_done = on_done
        self._cancel = Cancel()
        self.cancelled = False
        # Not joined: the resolver cannot be interrupted. It touches nothing but its own attempt, and `cancel` makes
        # it end without a word.
        start_thread("audio-stream-connect", self._run)

    def cancel(self) -> None:
        """Give up; the outcome, if it is a connection all the same, is the receiver's to close."""
        self.cancelled = True
        self._cancel.cancel()

    def _run(self) -> None:
        try:
            outcome: Outcome = self._connect()
        except ConnectError as error:
            outcome = error
        except AudioStreamError as error:
            outcome = ConnectError(str(error))
        except Exception as error:  # whatever a library lets escape: the stream has to hear of it
            outcome = ConnectError(f"unexpected {type(error).__name__} while connecting: {error}")
        self._on_done(self, outcome)

    def _connect(self) -> Connection:
        settings = self._settings
        tls = TlsOptions(
            ca_file="" if settings.tls_ca_file == CA_NONE else settings.tls_ca_file,
            verify=settings.tls_ca_file != CA_NONE, allow_selfsigned=settings.allow_selfsigned,
            allow_expired=settings.allow_expired, skip_hostname_check=settings.skip_server_cert_hostname_check,
            cert_file=settings.tls_cert_file, key_file=settings.tls_key_file)
        return connect(self._url, subprotocol=settings.subprotocols, basic_auth=_credentials(settings),
                       headers=settings.headers, tls=tls, timeout=self._timeout, cancel=self._cancel,
                       deflate=settings.deflate, origin=None if settings.origin == ORIGIN_NONE else settings.origin)


def _credentials(settings: StreamSettings) -> tuple[str, str] | None:
    return (settings.http_auth_user, settings.http_auth_password) if settings.http_auth_user else None
