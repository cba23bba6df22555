"""Loading the module into the FreeSWITCH that this process is, for the script that mod_python3 runs.

The module is registered at once, so that FreeSWITCH can end it at any time, and its command says how far it is. Then
its compiled code is found, or made by a process beside this one (see `native.compile_process`), and loaded; then the
module takes over. Loading uses LLVM for a second, which an exit() would not survive: a shutdown waits for its end.

Nothing heavy is imported before the module is registered.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import MODULE
from .errors import CompileError, LoadingEnded, SwitchError
from .interface import API_NAME, RESULT_VARIABLE, register
from .native.compile_process import CompileProcess, interpreter, loading_is_over
from .switch import LogLevel, Session, Switch

if TYPE_CHECKING:
    from .module import AudioStreamModule

SHUTDOWN_SECONDS = 30.0
"""A shutdown waits no longer for loading to end. It takes less than one; where this process itself has to compile, as
long as one function takes."""
_WITHDRAW_SECONDS = 5.0
_AGAIN = "fs_cli -x 'pyrun audio_stream'"


class Loading:
    """One attempt to load. `run` on one thread; FreeSWITCH calls the rest on its own."""

    def __init__(self, switch: Switch) -> None:
        """Registers; raises SwitchError."""
        self._switch = switch
        self._began = time.monotonic()
        self._doing = "loading"
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._is_over.set()
        self._process: CompileProcess | None = None
        self.module: AudioStreamModule | None = None
        loading_is_over.clear()
        self._registration = register(switch, self._on_command, self._on_application, self._on_application,
                                      self._on_shutdown)

    def run(self) -> str:
        """Load the module and return the line logged; raise AudioStreamError: then nothing is left in the switch."""
        global _has_code
        self._is_over.clear()
        try:
            self._go_on()
            # What is in memory stays there: a second load is the same, whatever has been installed meanwhile.
            seconds = 0.0 if _has_code else self._find_code()
            began = time.monotonic()
            from .module import AudioStreamModule
            _has_code = True
            loaded = time.monotonic()
            self._go_on()
            self.module = AudioStreamModule(self._switch, registration=self._registration)
            compiled = f"compiled in {seconds:.1f} s, " if seconds else ""
            line = (f"{MODULE} {self.module.describe()}; {compiled}loaded in {loaded - began:.1f} s, "
                    f"started in {time.monotonic() - loaded:.1f} s")
            self._switch.log(LogLevel.NOTICE, line)
            return line
        finally:
            self._is_over.set()
            if self.module is None:
                self._withdraw()

    def _find_code(self) -> float:
        """See that compiled code is there, and return the seconds that took; raise CompileError, LoadingEnded."""
        from .native import code_cache  # this imports Numba
        if code_cache.choose():
            return 0.0
        began = time.monotonic()
        self._doing = "compiling for this machine's processor, which takes a minute or two"
        self._tell(LogLevel.NOTICE, f"{self._doing}; until then {API_NAME} answers -ERR. scripts/install does it "
                   "beforehand")
        folder, python = code_cache.own(), interpreter()
        if folder is None or python is None:
            missing = "a folder that this user may write to: set XDG_CACHE_HOME" if python else "a Python beside it"
            self._tell(LogLevel.WARNING, f"FreeSWITCH itself has to compile, for want of {missing}, or run "
                       "scripts/install again")
            return 0.0
        words = self._compile(python, folder.path, code_cache.KEY)
        self._go_on()
        if not code_cache.choose():
            cause = words or "the process was killed, as the system does when memory runs out"
            raise CompileError(f"it could not be compiled for this processor: {cause}; when that is mended, {_AGAIN}")
        seconds = time.monotonic() - began
        self._tell(LogLevel.NOTICE, f"compiled in {seconds:.1f} s, into {folder.path}")
        return seconds

    def _compile(self, python: Path, folder: Path, key: str) -> str:
        """Compile in a process; its last words."""
        with self._lock:
            self._go_on()
            try:
                process = self._process = CompileProcess(python, folder, key)
            except OSError as error:
                raise CompileError(f"the process that compiles it cannot be started ({error}): run scripts/install "
                                   f"again, then {_AGAIN}") from error
        return process.wait()

    def _go_on(self) -> None:
        if loading_is_over.is_set():
            raise LoadingEnded(f"{MODULE} was unloaded, or FreeSWITCH shut down, while it was being loaded")

    def _withdraw(self) -> None:
        """Take back what is registered, unless FreeSWITCH itself has done so."""
        deadline = time.monotonic() + _WITHDRAW_SECONDS
        while not loading_is_over.is_set():
            try:
                self._registration.unload()
            except SwitchError:  # a command of ours is just being answered
                if time.monotonic() > deadline:
                    return
                time.sleep(0.01)

    # Called by FreeSWITCH, until the module takes over

    def _on_command(self, arguments: str, uuid: str | None) -> str:
        return f"-ERR {MODULE} is not loaded yet: {self._doing} ({time.monotonic() - self._began:.0f} s so far)\n"

    def _on_application(self, session: Session, arguments: str) -> None:
        reply = self._on_command(arguments, None).strip()
        session.set_variable(RESULT_VARIABLE, reply)
        self._switch.log(LogLevel.ERROR, reply, session.uuid)

    def _on_shutdown(self) -> None:
        loading_is_over.set()
        with self._lock:
            if self._process is not None:
                self._process.end()
        if not self._is_over.wait(SHUTDOWN_SECONDS):
            self._tell(LogLevel.WARNING, f"loading did not end within {SHUTDOWN_SECONDS:g} s")
        elif self.module is not None:
            self.module.shutdown()

    def _tell(self, level: LogLevel, text: str) -> None:
        self._switch.log(level, f"{MODULE}: {text}")


_lock = threading.Lock()
_loading: Loading | None = None
_has_code = False


def load() -> str:
    """Load into the FreeSWITCH that this process is; answers the line logged. A second call changes nothing.

    Raise AudioStreamError. Blocks for as long as it takes, on a thread with room on its stack.
    """
    global _loading
    with _lock:
        switch = Switch()
        if _module() is not None:
            line = f"{MODULE} is loaded already"
            switch.log(LogLevel.NOTICE, line)
            return line
        if not switch.is_running:
            raise LoadingEnded("FreeSWITCH is being shut down")
        _loading = Loading(switch)
        return _loading.run()


def execute(line: str) -> str:
    """Carry out a command, as ``uuid_audio_stream`` does."""
    module = _module()
    return f"-ERR {MODULE} is not loaded" if module is None else module.execute(line)


def _module() -> AudioStreamModule | None:
    """The module, while it is open."""
    module = _loading.module if _loading else None
    return module if module is not None and module.registry.is_open else None
