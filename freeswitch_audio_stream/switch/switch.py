"""`Switch`: the one door to the telephone switch that this process is."""

from __future__ import annotations

from typing import Callable, Iterable, Sequence

from . import commands, configuration, events, log, sessions, version
from .constants import LogLevel
from .library import Resolver, load, of_this_process
from .modules import Application, Module, Registration
from .sessions import Session


class Switch:
    """The running switch: its functions, found once.

    `resolve` is the C library: it answers the address of a function by its name. None means the process
    itself, that is, FreeSWITCH. All methods release the GIL while they are in the switch, and may be called
    on any thread of ours, but none of them on a media thread.
    """

    def __init__(self, resolve: Resolver | None = None) -> None:
        """Raise MissingSymbols (with all their names) or UnsupportedVersion; then nothing has been
        touched.
        """
        self.library = load(resolve) if resolve else of_this_process()
        self.version = version.check(self.library)

    @property
    def is_running(self) -> bool:
        """Whether it has not been told to shut down."""
        return bool(self.library.switch_core_running())

    def log(self, level: LogLevel, text: str, uuid: str | None = None) -> None:
        """Write a line to the switch's log, as one of the call `uuid` where given."""
        log.write(self.library, level, text, uuid)

    def api(self, command: str, arguments: str) -> str:
        """What the API command of that name answers, without blanks at its ends; see `commands.execute`."""
        return commands.execute(self.library, command, arguments)

    def locate(self, uuid: str) -> Session | None:
        """The call `uuid` with a read lock held (see `Session`); None where there is none or it has hung
        up.
        """
        return sessions.locate(self.library, uuid)

    def session(self, pointer: int) -> Session:
        """The session at `pointer`, borrowed: valid while its owner, who gave the pointer, keeps it alive."""
        return Session(self.library, pointer, locked=False)

    def fire(self, subclass: str, body: str | None, channel: events.Channel = None) -> None:
        """Fire a CUSTOM event; see `events.fire`."""
        events.fire(self.library, subclass, body, channel)

    def reserve(self, subclasses: Iterable[str]) -> list[str]:
        """Claim event subclasses; return those that another module has claimed, which can be fired even
        so.
        """
        return events.reserve(self.library, subclasses)

    def release(self, subclasses: Iterable[str]) -> None:
        """Undo `reserve`."""
        events.release(self.library, subclasses)

    def configuration(self, file: str) -> str | None:
        """Configuration `file` (such as ``audio_stream.conf``) as XML text, None where there is none."""
        return configuration.read(self.library, file)

    def register(self, name: str, api_name: str, syntax: str, on_command: Callable[[str, str | None], str],
                 on_application: Callable[[Session, str], None], on_shutdown: Callable[[], None],
                 completions: Sequence[str] = (), description: str = "",
                 applications: Sequence[Application] = ()) -> Registration:
        """Load us as module `name` with an API command and an application, both `api_name`; see
        `modules.Module`.

        `completions` are lines for the console, such as ``add uuid_audio_stream ::console::list_uuid
        start``; `applications` are further ones. Raise SwitchError, with the remedy, when the switch does not take it.
        """
        module = Module(name, api_name, description or api_name, syntax, on_command, on_application,
                        on_shutdown, completions, applications)
        registration = Registration(self.library, module)
        registration.load()
        return registration
