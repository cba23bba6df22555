"""Every error of the package, as one tree.

    AudioStreamError                what this package raises on purpose; its text is written for a person
    ├── CommandError                a command that cannot be carried out; `reply` is the answer to it
    │   ├── UsageError              "-USAGE: …": words are missing, or the action is unknown
    │   └── RefusedError            "-ERR …": a word is wrong, or the call or the stream does not allow it
    │       ├── CallNotFound        there is no such call
    │       ├── MediaNotFound       the call has no audio that passes through the switch
    │       └── CapacityRefused     too many of something run; later it may work
    ├── SettingError                a setting's value cannot be used
    ├── MessageError                a server's message cannot be used; `kind` groups them
    ├── ConnectError                no connection to the server
    │   ├── ConnectTimeout          not connected within the time allowed
    │   ├── HostNotFound            the host name has no address
    │   ├── ConnectionRefused       nobody listens there, or the network does not lead there
    │   ├── TlsRefused              no secure connection: certificate, host name or protocol version
    │   │   └── TlsFileRefused      a file of ours: what certificates are checked with, or the client's own
    │   ├── HandshakeRefused        the server does not open a WebSocket; `status` is its HTTP status
    │   └── SessionRefused          an HTTP server does not create a session; `status` is its HTTP status
    ├── AgentError                  an agent of the gateway cannot be, or go on
    │   ├── AgentNotFound           no profile has that name, or no installed package that agent
    │   └── ServiceRefused          the service behind an agent will not serve, however often it is asked
    ├── CompileError                the core could not be compiled for this machine's processor
    ├── CoreFailed                  a thread of the compiled core did not come up
    ├── CoreFull                    the compiled core has no record left for another stream
    ├── ImpossibleStep              a defect of ours: `state` has no `step` in its table
    ├── LoadingEnded                the module is not wanted any more before it was there
    └── SwitchError                 FreeSWITCH does not do what was asked of it
        ├── MissingSymbols          `names` are not exported by the library
        └── UnsupportedVersion      a FreeSWITCH this package does not know
"""

from __future__ import annotations

from typing import ClassVar, Iterable


class AudioStreamError(Exception):
    """Base of all; ``str()`` is one or more sentences for a person: what is wrong, and the remedy."""


class CommandError(AudioStreamError):
    """Base of what a command is answered with when it fails; raised only as one of its subclasses."""

    prefix: ClassVar[str] = "-ERR "

    @property
    def reply(self) -> str:
        """The answer for the FreeSWITCH API or ESL client, in one line without a line end."""
        return self.prefix + str(self)


class UsageError(CommandError):
    """The command does not have the shape of any command; the text is the syntax and what is amiss."""

    prefix = "-USAGE: "


class RefusedError(CommandError):
    """The command has the right shape and cannot be carried out; the text says why and what to do."""


class CallNotFound(RefusedError):
    """No call that is up has this UUID."""


class MediaNotFound(RefusedError):
    """The call is not answered, or its audio does not pass through the switch."""


class CapacityRefused(RefusedError):
    """A limit is reached, or the module is being unloaded; nothing is wrong with the request itself."""


class SettingError(AudioStreamError):
    """A setting, its value, where that came from, and what would be valid; secrets are left out."""


class MessageError(AudioStreamError):
    """A message of the server that cannot be used.

    `kind` is a short constant such as ``"json"`` or ``"media.play"``; one kind is reported together.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class ConnectError(AudioStreamError):
    """The server cannot be reached: which host and port, the cause and the remedy.

    `for_good` says that another attempt would end the same; `retry_after` are the seconds in which the server wants
    none, if it says so.
    """

    for_good: bool = False
    retry_after: float | None = None


class ConnectTimeout(ConnectError):
    """Not connected within the time allowed; name look-up, TCP, TLS and handshake count together."""


class HostNotFound(ConnectError):
    """The host name could not be resolved."""


class ConnectionRefused(ConnectError):
    """No TCP connection: refused, unreachable, or lost before the handshake was over."""


class TlsRefused(ConnectError):
    """No TLS session: which check failed, and the setting that would loosen exactly that one."""


class TlsFileRefused(TlsRefused):
    """A PEM file of ours cannot be used: which, and what is wrong with it; nothing has been sent to the server."""


class HandshakeRefused(ConnectError):
    """The server answered, but not with a WebSocket.

    `status` is its HTTP status code; 0 when the answer was not HTTP.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class SessionRefused(ConnectError):
    """The HTTP server answered, but has not created a session; `status` is its HTTP status code, 0 where the answer was
    not HTTP.
    """

    def __init__(self, reason: str, status: int = 0, for_good: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.for_good = for_good
        self.retry_after = retry_after


class AgentError(AudioStreamError):
    """An agent of the gateway cannot be, or cannot go on: why, and what to do."""


class AgentNotFound(AgentError):
    """No profile has that name, or no installed package has that agent; the text lists those there are."""


class ServiceRefused(AgentError):
    """The service behind an agent will not serve, however often it is asked: its account, key or options."""


class CompileError(AudioStreamError):
    """The core could not be compiled for this machine's processor: why, and what to do."""


class CoreFailed(AudioStreamError):
    """A thread of the compiled core ended at its start; the log says why, if that was an exception."""


class CoreFull(AudioStreamError):
    """All records of the compiled core are in use: no other stream fits into this process until one has ended."""


class ImpossibleStep(AudioStreamError):
    """A stream or a connection took a step that its table of states does not have: a defect of ours, and reported as
    one; it is never raised.
    """

    def __init__(self, name: str, state: str, step: str) -> None:
        """The names of what has the states, of the state and of the step."""
        self.state = state
        self.step = step
        super().__init__(f"the state {state} of a {name} has no step {step}, which was taken all the same; nothing was "
                         "changed")


class LoadingEnded(AudioStreamError):
    """The module was unloaded, or FreeSWITCH shut down, while it was being loaded; nobody is waiting for it."""


class SwitchError(AudioStreamError):
    """A FreeSWITCH function failed, or FreeSWITCH cannot be used at all."""


class MissingSymbols(SwitchError):
    """Functions the loaded FreeSWITCH does not export; `names` holds all of them, sorted."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(names))
        super().__init__("FreeSWITCH does not export " + ", ".join(self.names)
                         + ": use FreeSWITCH 1.10.7 or a later 1.x, built with shared libfreeswitch")


class UnsupportedVersion(SwitchError):
    """The text names the version found and the versions that work."""
