"""One attempt to reach a stream's server, on a thread of its own: it may wait for DNS, TCP, TLS and the handshake."""

from __future__ import annotations

from typing import Callable, Mapping

from ...config import CA_NONE, ORIGIN_NONE, StreamSettings
from ...errors import AudioStreamError, ConnectError
from ...threads import start_thread
from ...transports import Cancel, Connection, TlsOptions, connect

Outcome = Connection | ConnectError
Reach = Callable[["float | None", Cancel], Connection]
"""Returns a connection: blocks up to so many seconds (None = no limit), on any thread, unless it is cancelled. Raises
AudioStreamError."""


class Connector:
    """Ends by `on_done` (on the attempt's thread) with a connection or an error, also after `cancel`."""

    def __init__(self, reach: Reach, timeout: float | None, on_done: Callable[[Connector, Outcome], None]) -> None:
        """`timeout` in seconds, None = no limit."""
        self._reach = reach
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
            outcome: Outcome = self._reach(self._timeout, self._cancel)
        except ConnectError as error:
            outcome = error
        except AudioStreamError as error:
            outcome = ConnectError(str(error))
        except Exception as error:  # whatever a library lets escape: the stream has to hear of it
            outcome = ConnectError(f"unexpected {type(error).__name__} while connecting: {error}")
        self._on_done(self, outcome)


def open_connection(url: str, settings: StreamSettings, headers: Mapping[str, str], timeout: float | None,
                    cancel: Cancel) -> Connection:
    """Return a connection to a ws://, wss:// or audiosocket:// URL, as a `Reach`. `headers` are of the handshake, and
    those of the settings come in place of any of the same name.
    """
    theirs = {name.lower() for name in settings.headers}
    ours = {name: value for name, value in headers.items() if name.lower() not in theirs}
    return connect(url, subprotocol=settings.subprotocols, basic_auth=credentials(settings),
                   headers={**ours, **settings.headers}, tls=tls_options(settings), timeout=timeout, cancel=cancel,
                   deflate=settings.deflate, origin=None if settings.origin == ORIGIN_NONE else settings.origin)


def tls_options(settings: StreamSettings) -> TlsOptions:
    """Return what to verify of a server, and what to present to it."""
    return TlsOptions(
        ca_file="" if settings.tls_ca_file == CA_NONE else settings.tls_ca_file,
        verify=settings.tls_ca_file != CA_NONE, allow_selfsigned=settings.allow_selfsigned,
        allow_expired=settings.allow_expired, skip_hostname_check=settings.skip_server_cert_hostname_check,
        cert_file=settings.tls_cert_file, key_file=settings.tls_key_file)


def credentials(settings: StreamSettings) -> tuple[str, str] | None:
    """Return user and password of basic authentication; None where none are set."""
    return (settings.http_auth_user, settings.http_auth_password) if settings.http_auth_user else None
