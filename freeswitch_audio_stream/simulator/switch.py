"""`EmbeddedSwitch`: a telephone switch in this process, for the demo and the tests."""

from __future__ import annotations

import threading
import time
import uuid as uuids
from collections import deque
from typing import Callable, Mapping

from ..audio import Samples
from ..switch.constants import CAUSE_NORMAL_CLEARING, CAUSE_SYSTEM_SHUTDOWN, LogLevel
from . import exports
from .calls import EmbeddedCall
from .codecs import Codecs, CodecSpec
from .commands import Commands
from .configuration import Configuration
from .events import Event, Events, LogLine
from .modules import Modules
from .sessions import Sessions

VERSION = (b"1", b"10", b"12-embedded")
KEPT_DESTROYED = 64
"""Destroyed calls whose memory is kept a while: a late C call is counted there instead of crashing."""


class EmbeddedSwitch:
    """The C functions of FreeSWITCH that we use, with its behaviour, and calls made of nothing but memory
    and threads.

    Give `resolve` to `switch.Switch`, make calls with `call`, and talk to modules with `execute`. Any
    thread may use it; `shutdown` must end it.
    """

    def __init__(self) -> None:
        self.event_system = Events(self._channel_data)
        self.modules = Modules(self._log)
        self.commands = Commands(self.modules)
        self.codecs = Codecs()
        self.sessions = Sessions()
        self.causes = {CAUSE_NORMAL_CLEARING: 16, CAUSE_SYSTEM_SHUTDOWN: 701}
        """``switch_call_cause_t`` by name, as far as calls end for one here."""
        self._configuration = Configuration()
        self._destroyed: deque[EmbeddedCall] = deque()
        self._misuses = 0
        self._destroyed_lock = threading.Lock()
        self._running = 1
        self.commands.of_the_switch.update(uuid_exists=self._uuid_exists, uuid_kill=self._uuid_kill)
        self._addresses, self._kept = exports.library(self._functions())

    def _functions(self) -> Mapping[str, Callable[..., object]]:
        events, modules, sessions, codecs = self.event_system, self.modules, self.sessions, self.codecs
        major, minor, micro = VERSION
        texts = exports.texts(VERSION)
        return {
            "switch_core_running": lambda: self._running,
            "switch_version_major": lambda: texts[major],
            "switch_version_minor": lambda: texts[minor],
            "switch_version_micro": lambda: texts[micro],
            "switch_log_printf": events.c_log,
            "switch_console_set_complete": modules.c_set_complete,
            "switch_api_execute": self.commands.c_execute,
            "switch_console_stream_write": self.commands.c_write_text,
            "switch_console_stream_raw_write": self.commands.c_write,
            "switch_core_session_perform_locate": sessions.c_locate,
            "switch_core_session_read_lock": sessions.c_read_lock,
            "switch_core_session_rwunlock": sessions.c_unlock,
            "switch_core_session_get_channel": sessions.c_get_channel,
            "switch_core_session_get_uuid": sessions.c_get_uuid,
            "switch_channel_perform_pre_answer": sessions.c_pre_answer,
            "switch_channel_get_variable_dup": sessions.c_get_variable,
            "switch_channel_str2cause": lambda name: self.causes.get(name, self.causes[CAUSE_NORMAL_CLEARING]),
            "switch_channel_set_variable_var_check": sessions.c_set_variable,
            "switch_core_media_bug_add": sessions.c_add_bug,
            "switch_core_event_hook_add_recv_dtmf": sessions.c_add_hook,
            "switch_core_event_hook_remove_recv_dtmf": sessions.c_remove_hook,
            "switch_core_codec_init_with_bitrate": codecs.c_init,
            "switch_core_codec_destroy": codecs.c_destroy,
            "switch_event_create_subclass_detailed": events.c_create,
            "switch_event_set_body": events.c_set_body,
            "switch_event_merge": events.c_merge,
            "switch_event_fire_detailed": events.c_fire,
            "switch_event_destroy": events.c_destroy,
            "switch_event_reserve_subclass_detailed": events.c_reserve,
            "switch_event_free_subclass_detailed": events.c_free,
            "switch_channel_event_set_data": events.c_set_channel_data,
            "switch_loadable_module_exists": modules.c_exists,
            "switch_loadable_module_build_dynamic": modules.c_build,
            "switch_loadable_module_unload_module": modules.c_unload,
            "switch_loadable_module_create_module_interface": modules.c_create_module,
            "switch_loadable_module_create_interface": modules.c_create_interface,
            "switch_loadable_module_get_api_interface": modules.c_get_api,
            "switch_loadable_module_get_application_interface": modules.c_get_application,
            "switch_xml_open_cfg": self._configuration.c_open,
            "switch_xml_toxml_ex": self._configuration.c_to_text,
            "switch_xml_free": self._configuration.c_close,
        }

    def resolve(self, name: str) -> int | None:
        """The address of a C function; None for one that this switch does not have."""
        return self._addresses.get(name)

    # Calls

    def call(self, uuid: str | None = None, speech: Samples | None = None, rate: int | None = None,
             codec: CodecSpec = CodecSpec(), app: str = "park", variables: Mapping[str, str] | None = None,
             speed: float = 1.0, answered: bool = True, cng: bool = False, record_seconds: int = 120) -> EmbeddedCall:
        """Make a call.

        Its caller says `speech` (int16[n] or [n, channels] at `rate` Hz, by default the codec's), then
        silence, or comfort noise (no audio at all) with `cng`. `app` is what the switch does with the call:
        ``park``, ``sleep``, ``playback`` (silence, for ever), ``echo``, ``bridge`` (to be joined by
        `bridge`). `speed` times as fast as real time. The first `record_seconds` (at 48 kHz mono) of both
        directions are kept.
        """
        call = EmbeddedCall(self, uuid or str(uuids.uuid4()), speech=speech, rate=rate, codec=codec, app=app,
                            variables=variables or {}, speed=speed, answered=answered, cng=cng,
                            record_seconds=record_seconds)
        self.sessions.add(call)
        self.event_system.fire(Event("CHANNEL_CREATE", "", call.headers(), ""))
        call.start()
        return call

    def bridge(self, a: EmbeddedCall, b: EmbeddedCall) -> None:
        """Connect two calls: each hears what the other says, and one's hangup ends the other."""
        a.join_bridge(b)
        b.join_bridge(a)

    def forget(self, call: EmbeddedCall) -> None:
        """A call is no longer to be found by its uuid; only its own thread says so."""
        self.sessions.hide(call)

    def remove_destroyed(self, call: EmbeddedCall) -> None:
        """A call is destroyed: its memory is marked and kept for a while; only its own thread says so."""
        call.session.magic = 0
        self.sessions.remove(call)
        with self._destroyed_lock:
            self._destroyed.append(call)
            while len(self._destroyed) > KEPT_DESTROYED:
                oldest = self._destroyed.popleft()  # its memory lives as long as this name
                self._misuses += oldest.session.misuse

    @property
    def misuses(self) -> int:
        """C calls that would have crashed or aborted FreeSWITCH, such as one on a destroyed session: must
        be 0.
        """
        with self._destroyed_lock:
            counted: int = sum(call.session.misuse for call in (*self._destroyed, *self.sessions))
            return self.sessions.misuses + self._misuses + counted

    # Modules and the console

    def execute(self, line: str) -> str:
        """What ``fs_cli -x`` prints for an API command; it runs on this thread, without a session."""
        name, _, arguments = line.strip().partition(" ")
        if name == "unload":
            return self.unload(arguments.strip())
        answer = self.commands.run(name, arguments, None)
        return f"-ERR {name} Command not found!\n" if answer is None else answer

    def _uuid_exists(self, uuid: str) -> str:
        return "true" if self.sessions.find(uuid) else "false"

    def _uuid_kill(self, arguments: str) -> str:
        call = self.sessions.find(arguments.split(" ")[0])
        if call is None:
            return "-ERR No such channel!\n"
        call.hangup()
        return "+OK\n"

    def unload(self, module: str) -> str:
        """``unload`` of the console; the module's shutdown function runs on this thread."""
        problem = self.modules.unload(module)
        return "+OK\n" if problem is None else f"-ERR unloading module [{problem}]\n"

    @property
    def configuration(self) -> dict[str, str]:
        """Configuration files by name, as XML text."""
        return self._configuration.files

    # Events and the log

    @property
    def events(self) -> list[Event]:
        """Every event fired so far, in order."""
        return self.event_system.fired

    def wait_event(self, subclass: str, predicate: Callable[[Event], bool] | None = None,
                   timeout: float = 10.0) -> Event:
        """See `Events.wait`."""
        return self.event_system.wait(subclass, predicate, timeout)

    @property
    def log_lines(self) -> list[LogLine]:
        """Every line logged so far, in order."""
        return self.event_system.log

    def _log(self, level: LogLevel, text: str) -> None:
        self.log_lines.append(LogLine(level, text, None))

    def _channel_data(self, channel: int) -> Mapping[str, str]:
        return self.sessions.of(channel).headers()

    # The end

    def hang_up_all(self, timeout: float = 30.0) -> None:
        """End every call and wait until all are destroyed; TimeoutError names those that something still
        holds.
        """
        calls = list(self.sessions)
        for call in calls:
            call.hangup()
        deadline = time.monotonic() + timeout
        late = [call.uuid for call in calls if not call.join(max(0.0, deadline - time.monotonic()))]
        if late:
            raise TimeoutError(f"still not destroyed after {timeout} s: {late}")

    def shutdown(self, timeout: float = 30.0) -> None:
        """End the process as FreeSWITCH does: the event, hangup of all without waiting, then each module's
        shutdown while calls may still be up, and only then their end. TimeoutError as in `hang_up_all`.
        """
        self._running = 0
        self.event_system.fire(Event("SHUTDOWN", "", {}, ""))
        for call in self.sessions:
            call.hangup(CAUSE_SYSTEM_SHUTDOWN)
        for name in list(self.modules.loaded):
            self.modules.shut_down(self.modules.loaded.pop(name))
        self.hang_up_all(timeout)
