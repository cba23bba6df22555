"""Being a module of the switch: a native API command and a dialplan application whose work is done in
Python.

The switch calls us on its own threads (240 KiB of stack). No exception may cross into C: an escaping one
would leave an undefined status behind, so every callback here ends in a status of its own. The switch keeps
addresses of our callbacks and strings, and may use them until the process ends, so what we hand out is
never freed, but used again by the next module of the same name: see `permanent`.
"""

from __future__ import annotations

import ctypes
import traceback
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Sequence

from ..errors import SwitchError
from . import layouts, log, permanent
from .constants import APPLICATION_FLAGS_NONE, INTERFACE_API, INTERFACE_APPLICATION, LogLevel, Status
from .library import Library
from .sessions import Session
from .text import decode, decode_exactly, encode


@dataclass(frozen=True)
class Application:
    """A dialplan application. `run(session, arguments)` runs on the call's own thread; the session is borrowed."""

    name: str
    description: str
    syntax: str
    run: Callable[[Session, str], None]


@dataclass(frozen=True)
class Module:
    """What to register. `on_command` and `on_application` may run on many threads at once, and must not
    block long.

    `on_command(arguments, uuid)` answers the text to print; `uuid` is the calling call's when a dialplan
    uses ``${api(arguments)}``, else None. `on_application(session, arguments)` runs on the call's own
    thread; the session is borrowed; `applications` are further ones. `on_shutdown()` runs once, at unload or
    at the switch's own shutdown, with calls possibly still up; callbacks may come even after it.
    """
    name: str
    api_name: str
    description: str
    syntax: str
    on_command: Callable[[str, str | None], str]
    on_application: Callable[[Session, str], None]
    on_shutdown: Callable[[], None]
    completions: Sequence[str] = field(default=())
    applications: Sequence[Application] = field(default=())


class Registration:
    """A module that is loaded; `unload` ends it, and so may the switch at any time."""

    def __init__(self, library: Library, module: Module) -> None:
        self._library = library
        self._module = module
        self._strings = {name: permanent.text(getattr(module, name))
                         for name in ("name", "api_name", "description", "syntax")}
        self._load = permanent.take(layouts.LoadFunction, module.name, self._on_load, _refuse_to_load)
        self._shutdown = permanent.take(layouts.ShutdownFunction, module.name, self._on_shutdown, _shut_down_nothing)
        self._api = permanent.take(layouts.ApiFunction, module.api_name, self._on_api, _answer_that_nothing_is_loaded)
        own = Application(module.api_name, module.description, module.syntax, module.on_application)
        self._applications = [_Registered(library, application, self._report)
                              for application in (own, *module.applications)]

    def load(self) -> None:
        """Register with the switch; raise SwitchError, with what to do about it, when that did not take
        effect.
        """
        library, name = self._library, encode(self._module.name)
        # Loading a loaded name again would overwrite its entry and leave its interfaces behind.
        if library.switch_loadable_module_exists(name) == Status.SUCCESS:
            self._give_back()
            raise SwitchError(f"a module {self._module.name} is loaded already: unload it first, and take it "
                              "out of modules.conf.xml")
        status = library.switch_loadable_module_build_dynamic(name, self._load.function, None,
                                                              self._shutdown.function, 0)
        if status != Status.SUCCESS:
            self._give_back()
            raise SwitchError(f"the switch refused to load {self._module.name} (status {status})")
        self._verify()
        # Those of an earlier load are still there: as the switch ends itself, they could no longer be taken away.
        for line in (f"del {self._module.api_name}", *self._module.completions):
            library.switch_console_set_complete(encode(line))

    def hand_over(self, on_command: Callable[[str, str | None], str], on_shutdown: Callable[[], None],
                  on_applications: Sequence[Callable[[Session, str], None]]) -> None:
        """Have others called from now on; `on_applications` are in the order in which they were registered."""
        first, *further = on_applications
        applications = [replace(application, run=run)
                        for application, run in zip(self._module.applications, further, strict=True)]
        self._module = replace(self._module, on_command=on_command, on_application=first, on_shutdown=on_shutdown,
                               applications=applications)
        for registered, run in zip(self._applications, on_applications, strict=True):
            registered.run = run

    def unload(self) -> None:
        """Take the module out; its on_shutdown runs on this thread. Raise SwitchError while a command runs
        in it.
        """
        reason = ctypes.c_char_p()
        status = self._library.switch_loadable_module_unload_module(
            b"", encode(self._module.name), 0, ctypes.byref(reason))
        if status != Status.SUCCESS:
            raise SwitchError(f"{self._module.name} could not be unloaded: "
                              f"{decode(reason.value) or 'no reason given'}")

    def _verify(self) -> None:
        # An interface allowlist skips what it does not name and still reports success.
        library = self._library
        api = self._registered(library.switch_loadable_module_get_api_interface, layouts.ApiInterface,
                               self._module.api_name)
        found = [(f"API command {self._module.api_name}", api, self._api.function)]
        for application in self._applications:
            address = self._registered(library.switch_loadable_module_get_application_interface,
                                       layouts.ApplicationInterface, application.name)
            found.append((f"application {application.name}", address, application.callback.function))
        for what, address, ours in found:
            if address != _address(ours):
                self.unload()
                raise SwitchError(
                    f"the switch did not take the {what}: where switch.conf.xml has "
                    f"an <interface-allowlist>, add {self._module.name} to it")

    def _registered(self, get: Callable[[bytes], int | None], layout: Any, name: str) -> int | None:
        """The function behind a name of ours; the look-up holds two locks and two counts, which are given back
        here.
        """
        address = get(encode(name))
        if not address:
            return None
        interface = layout.from_address(address)
        parent = layouts.ModuleInterface.from_address(interface.parent)
        library = self._library
        library.switch_mutex_lock(interface.reflock)
        library.switch_thread_rwlock_unlock(interface.rwlock)
        library.switch_thread_rwlock_unlock(parent.rwlock)
        interface.refs -= 1
        parent.refs -= 1
        library.switch_mutex_unlock(interface.reflock)
        function: int | None = interface.function
        return function

    # Called by the switch

    def _on_load(self, interface: int, pool: int) -> int:
        try:
            module = self._library.switch_loadable_module_create_module_interface(pool, self._strings["name"])
            ctypes.c_void_p.from_address(interface).value = module
            self._add_api(module)
            for application in self._applications:
                application.add(module)
            return Status.SUCCESS
        except BaseException:
            self._report("loading failed")
            return Status.GENERR

    def _add_api(self, module: int) -> None:
        address = self._library.switch_loadable_module_create_interface(module, INTERFACE_API)
        api = layouts.ApiInterface.from_address(address)
        _set_text(api, "interface_name", self._strings["api_name"])
        _set_text(api, "desc", self._strings["description"])
        _set_text(api, "syntax", self._strings["syntax"])
        api.function = _address(self._api.function)

    def _on_api(self, arguments: bytes | None, session: int | None, stream: int) -> int:
        try:
            uuid = decode(self._library.switch_core_session_get_uuid(session)) if session else None
            answer = self._module.on_command(decode_exactly(arguments), uuid)
        except BaseException:
            self._report("a command failed")
            answer = "-ERR internal error, see the log\n"
        try:
            _write(stream, encode(answer))
        except BaseException:
            self._report("an answer was lost")
        # A failure is told in the answer; any other status would make the switch print a text of its own
        # below it.
        return Status.SUCCESS

    def _report(self, what: str) -> None:
        """Log the exception at hand; the standard streams of a switch in the background lead nowhere."""
        try:
            log.write(self._library, LogLevel.ERROR, f"{self._module.name}: {what}\n{traceback.format_exc()}")
        except BaseException:
            pass  # there is nowhere left to tell

    def _on_shutdown(self) -> int:
        try:
            self._module.on_shutdown()
        except BaseException:
            self._report("shutdown failed")
        self._give_back()
        return Status.SUCCESS

    def _give_back(self) -> None:
        for callback in (self._load, self._shutdown, self._api,
                         *(application.callback for application in self._applications)):
            callback.give_back()


class _Registered:
    """An application as the switch has it."""

    def __init__(self, library: Library, application: Application, report: Callable[[str], None]) -> None:
        self.name = application.name
        self.callback = permanent.take(layouts.ApplicationFunction, application.name, self._on_application, _do_nothing)
        self._library = library
        self.run = application.run
        self._report = report
        self._strings = {name: permanent.text(getattr(application, name))
                         for name in ("name", "description", "syntax")}

    def add(self, module: int) -> None:
        """Create its interface."""
        address = self._library.switch_loadable_module_create_interface(module, INTERFACE_APPLICATION)
        interface = layouts.ApplicationInterface.from_address(address)
        _set_text(interface, "interface_name", self._strings["name"])
        _set_text(interface, "short_desc", self._strings["description"])
        _set_text(interface, "long_desc", self._strings["description"])
        _set_text(interface, "syntax", self._strings["syntax"])
        interface.flags = APPLICATION_FLAGS_NONE
        interface.function = _address(self.callback.function)

    def _on_application(self, session: int, arguments: bytes | None) -> None:
        try:
            self.run(Session(self._library, session, locked=False), decode_exactly(arguments))
        except BaseException:
            self._report("an application failed")


# What is answered where the switch calls a module that has ended, as it may while it ends itself.

def _refuse_to_load(interface: int, pool: int) -> int:
    return Status.GENERR


def _shut_down_nothing() -> int:
    return Status.SUCCESS


def _answer_that_nothing_is_loaded(arguments: bytes | None, session: int | None, stream: int) -> int:
    try:
        _write(stream, b"-ERR the module is not loaded\n")
    except BaseException:
        pass  # there is nowhere to tell
    return Status.SUCCESS


def _do_nothing(session: int, arguments: bytes | None) -> None:
    pass


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


def _set_text(structure: ctypes.Structure, name: str, text: ctypes.Array[ctypes.c_char]) -> None:
    """Store the address of `text` itself; assigning bytes would store that of a copy which Python may free.
    """
    setattr(structure, name, ctypes.cast(text, ctypes.c_char_p))


def _write(stream: int, answer: bytes) -> None:
    """Send `answer` through the stream: raw where it can (no format, no limit), else as the one string of a
    format.
    """
    handle = layouts.StreamHandle.from_address(stream)
    if handle.raw_write_function:
        layouts.RawWriteFunction(handle.raw_write_function)(stream, answer, len(answer))
    elif handle.write_function:
        layouts.WriteFunction(handle.write_function)(stream, b"%s", answer)
