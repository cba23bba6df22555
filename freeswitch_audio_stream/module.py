"""`AudioStreamModule`: the whole product on any switch, the embedded one included. `loader` puts it into FreeSWITCH."""

from __future__ import annotations

import os
import platform
import threading
import time
import traceback
from collections import OrderedDict
from types import MappingProxyType
from typing import Callable, Iterable, Mapping, TypeVar

import numba

from . import MODULE, __version__, config
from . import http_api as media_server
from .engine import BugKind, ClientLimits, Registry
from .engine.events.community_reports import EVENTS as COMMUNITY_EVENTS
from .engine.events.reports import SUBCLASSES
from .errors import RefusedError, SettingError, SwitchError
from .interface import API_NAME, MEDIA_APPLICATION, RESULT_VARIABLE, register
from .realtime.core import C_FUNCTIONS, start_core
from .switch import BugFlag, ChannelSnapshot, L16Codec, LogLevel, Registration, Session, Switch
from .transports import TLS_IN_LOOP

EXTERNAL_MEDIA_ID = "external_media"
"""The id of the stream that MEDIA_APPLICATION starts."""
SHUTDOWN_SECONDS = 2.0
_SERVER_SECONDS = 1.0  # what the media server is left at least
_WARNINGS = 256  # that are remembered: calls may bring a new wrong value each
_TRUE = ("true", "yes", "on", "1", "t", "enabled", "active", "allow")  # as FreeSWITCH reads a flag
_SUBCLASSES = (*SUBCLASSES, *(f"{MODULE}::{name}" for name in COMMUNITY_EVENTS))
_BUG_FLAGS = {
    BugKind.CAPTURE_READ: BugFlag.READ_STREAM,
    BugKind.CAPTURE_WRITE: BugFlag.WRITE_STREAM,
    BugKind.PLAYBACK: BugFlag.WRITE_REPLACE | BugFlag.FIRST,
}
_Settings = TypeVar("_Settings")


class SwitchCall:
    """A call of the switch as the engine wants it; see `engine.call.Call`."""

    def __init__(self, switch: Switch, session: Session) -> None:
        """`session` holds a read lock, which is now ours."""
        self._switch = switch
        self._session = session
        self._bugs: dict[BugKind, int] = {}
        self._codecs: list[L16Codec] = []
        self._released = False
        self._snapshot: ChannelSnapshot | None = None
        self._refused_codec: int | None = None
        self.uuid = session.uuid
        self.session = session.pointer
        self.channel = session.channel

    @property
    def temp_folder(self) -> str | None:
        return None if self._released else self._session.variable("temp_dir")

    def variable(self, name: str) -> str | None:
        return self._session.variable(name)

    @property
    def read_rate(self) -> int:
        form = self._session.read_format()
        return form.rate if form else 0

    def has_media(self) -> bool:
        session = self._session
        return not session.is_hung_up() and session.has_media() and session.read_format() is not None

    def is_between_states(self) -> bool:
        return not self._session.is_hung_up() and not self._session.is_ready()

    def ask_for_early_media(self) -> None:
        if not self._session.has_media():
            self._session.pre_answer()

    def end_reason(self) -> str | None:
        if not self._session.is_hung_up():
            return None
        return "shutdown" if self._session.ended_by_shutdown() else "hangup"

    def attach(self, kind: BugKind, callback: int, user: int) -> None:
        try:
            self._bugs[kind] = self._session.add_bug(MODULE, kind.value, callback, user, _BUG_FLAGS[kind])
        except SwitchError as error:
            raise RefusedError(str(error)) from error

    def detach(self, kind: BugKind) -> None:
        self._session.remove_bug(self._bugs.pop(kind))

    def open_write_codec(self) -> tuple[int, int]:
        form = self._session.write_format()
        if form is None:
            return 0, 0
        try:
            codec = self._session.open_l16_codec(form.rate, form.ptime_us // 1000, form.channels)
        except SwitchError as error:
            if self._refused_codec != form.impl_id:  # the write clock goes on asking
                self._refused_codec = form.impl_id
                self._log(f"playback needs another writer on this call: {error}")
            return 0, 0
        self._codecs.append(codec)
        return codec.pointer, form.impl_id

    def hook_digits(self, hook: int) -> None:
        self._session.add_dtmf_hook(hook)

    def hides_digits(self) -> bool:
        return (self._session.variable("sensitive_dtmf") or "").lower() in _TRUE

    def api(self, command: str, arguments: str) -> str:
        return self._switch.api(command, arguments)

    def emit(self, event: str, body: str) -> None:
        try:
            self._switch.fire(event, body, self._snapshot if self._released else self._session)
        except SwitchError as error:  # a stream goes on, and above all ends, whether or not it can be told
            self._log(str(error))

    def release(self) -> None:
        try:
            self._snapshot = self._session.snapshot()
        except SwitchError as error:
            self._log(str(error))
        self._released = True
        for codec in self._codecs:
            codec.close()
        self._session.unlock()

    def forget(self) -> None:
        if self._snapshot is not None:
            self._snapshot.close()

    def log(self, text: str) -> None:
        self._switch.log(LogLevel.DEBUG, f"{MODULE}: {text}", self.uuid)

    def warn(self, text: str) -> None:
        self._switch.log(LogLevel.WARNING, f"{MODULE}: {text}", self.uuid)

    def _log(self, text: str) -> None:
        self._switch.log(LogLevel.ERROR, f"{MODULE}: {text}", self.uuid)


class _Recent:
    """The texts that have come lately. Any thread."""

    def __init__(self, count: int) -> None:
        """How many of them are remembered: the one that came last is forgotten last."""
        self._count = count
        self._texts: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._texts)

    def is_new(self, text: str) -> bool:
        """Remember it; whether it was not."""
        with self._lock:
            is_new = text not in self._texts
            self._texts[text] = None
            self._texts.move_to_end(text)
            if len(self._texts) > self._count:
                self._texts.popitem(last=False)
            return is_new


class AudioStreamModule:
    """The product on one switch: registered with it, and ends with it."""

    def __init__(self, switch: Switch, environment: Mapping[str, str] = os.environ,
                 registration: Registration | None = None) -> None:
        """Raise SwitchError if the switch does not take us; not with a `registration`, which is taken over."""
        self._switch = switch
        self._environment = environment
        self._file = self._read_file()
        self._warned = _Recent(_WARNINGS)
        self._lock = threading.Lock()
        self._over = self._reserved = False
        self._resolve(lambda name: None, {})  # what is wrong for every stream is told now
        settings = self._warn(*config.resolve_shared(config.MODULE, self._file, self._environment))
        server = self._warn(*config.resolve_shared(config.HTTP_SERVER, self._file, self._environment))
        self.core = start_core({name: switch.library.address(name) for name in C_FUNCTIONS}, settings.service_threads,
                               settings.io_nap_us)
        client_limits = ClientLimits(server.media_server_max_clients, server.media_server_max_clients_per_call)
        self.registry = Registry(self.core, self._locate, self._resolve, settings.max_streams, self._on_fault,
                                 self._on_warning, client_limits)
        # All is there before the switch knows of us: from then on it may unload us at any moment.
        self.media_server = media_server.start(server, self.registry, switch.api, self._tell, self._on_fault)
        try:
            self._registration = registration or register(
                switch, self._on_command, self._on_application, self._on_external_media, self.shutdown)
        except SwitchError:
            self.shutdown()
            raise
        if registration is not None:
            registration.hand_over(self._on_command, self.shutdown, [self._on_application, self._on_external_media])
        self._reserve()

    def describe(self) -> str:
        """Version, and of what it is on, for the log."""
        tls = "" if TLS_IN_LOOP else ("; wss:// streams need a Python thread each, because this Python's OpenSSL "
                                      "cannot be reached")
        return (f"{__version__} loaded: FreeSWITCH {self._switch.version}, Python {platform.python_version()}, "
                f"numba {numba.__version__}, {len(self.core.workers)} service threads{tls}")

    def unload(self) -> None:
        """Take the module out of the switch; raises SwitchError while one of its commands runs."""
        self._registration.unload()

    def execute(self, line: str) -> str:
        """Carry out a command."""
        return self.registry.execute(line)

    def _reserve(self) -> None:
        with self._lock:
            if not self._over:
                self._reserved = True
                self._switch.reserve(_SUBCLASSES)

    def _read_file(self) -> dict[str, str]:
        text = self._switch.configuration(config.FILE)
        if text is None:
            return {}
        try:
            return config.parse_xml(text)
        except SettingError as error:
            self._switch.log(LogLevel.ERROR, f"{MODULE}: {error}")
            return {}

    def _resolve(self, variable: Callable[[str], str | None], prefix: Mapping[str, str],
                 dialect: config.Dialect = config.Dialect.STREAM_API,
                 defaults: Mapping[str, config.Value] = MappingProxyType({})) -> config.StreamSettings:
        return self._warn(*config.resolve_stream(self._file, self._environment, variable, prefix, dialect, defaults))

    def _warn(self, settings: _Settings, warnings: Iterable[str]) -> _Settings:
        """Log the warnings that have not been logged lately."""
        for warning in warnings:
            if self._warned.is_new(warning):
                self._switch.log(LogLevel.WARNING, f"{MODULE}: {warning}")
        return settings

    def _locate(self, uuid: str) -> SwitchCall | None:
        session = self._switch.locate(uuid)
        return None if session is None else SwitchCall(self._switch, session)

    def _on_command(self, arguments: str, uuid: str | None) -> str:
        return self.registry.execute(arguments)

    def _on_application(self, session: Session, arguments: str) -> None:
        self._execute_for(session, arguments, f"{API_NAME}({arguments.split('start')[0].strip()} …)")

    def _on_external_media(self, session: Session, arguments: str) -> None:
        line = f"{session.uuid} {EXTERNAL_MEDIA_ID} external_media_start {arguments}"
        self._execute_for(session, line, f"{MEDIA_APPLICATION}(…)")

    def _execute_for(self, session: Session, line: str, shown: str) -> None:
        reply = self.registry.execute(line, is_private=False)
        session.set_variable(RESULT_VARIABLE, reply)
        if reply.startswith("-"):
            self._switch.log(LogLevel.ERROR, f"{shown}: {reply}", session.uuid)

    def shutdown(self) -> None:
        """End every stream and thread; the switch calls it when it unloads us or ends. A second call does nothing."""
        with self._lock:
            if self._over:
                return  # it has been unloaded because the switch did not take all of it
            self._over = True
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        if not self.registry.shutdown(SHUTDOWN_SECONDS):
            self._switch.log(LogLevel.WARNING, f"{MODULE}: a stream did not end within {SHUTDOWN_SECONDS:g} s")
        # Behind the streams: until they have ended, it carries the last bytes to clients with TLS.
        if self.media_server and not self.media_server.stop(max(_SERVER_SECONDS, deadline - time.monotonic())):
            self._switch.log(LogLevel.WARNING, f"{MODULE}: the media server did not end in time")
        if self._reserved:  # else they may be those of another that runs
            self._switch.release(_SUBCLASSES)

    def _tell(self, text: str, is_error: bool) -> None:
        self._switch.log(LogLevel.ERROR if is_error else LogLevel.NOTICE, f"{MODULE}: {text}")

    def _on_warning(self, text: str) -> None:
        self._switch.log(LogLevel.WARNING, f"{MODULE}: {text}")

    def _on_fault(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error)).strip()
        self._switch.log(LogLevel.ERROR, f"{MODULE}: a defect of this module, please report it: {text}")
