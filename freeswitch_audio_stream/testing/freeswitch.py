"""An installed FreeSWITCH, started for us alone, with its own folders and ports, and ended by its process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Sequence

from ..errors import SwitchError
from . import freeswitch_configuration as configuration
from .event_socket import EventSocket
from .port_range import PortRange

_PREFIXES = ("/usr/local/freeswitch", "/opt/freeswitch", "/usr/local", "/usr")
_MODULE_FOLDERS = ("lib/freeswitch/mod", "mod", "lib64/freeswitch/mod")
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_SHOWN = 4000  # characters, of a crash
_SHIM = "audio_stream"


def find_prefix() -> Path | None:
    """Where a FreeSWITCH with mod_python3 is installed: FREESWITCH_PREFIX, else one of the usual places; or None."""
    named = os.environ.get("FREESWITCH_PREFIX")
    for prefix in [Path(named)] if named else map(Path, _PREFIXES):
        folder = _module_folder(prefix)
        if folder is not None and (folder / "mod_python3.so").exists() and (prefix / "bin/freeswitch").exists():
            return prefix
    return None


def _module_folder(prefix: Path) -> Path | None:
    return next((prefix / folder for folder in _MODULE_FOLDERS if (prefix / folder).is_dir()), None)


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FreeSwitch:
    """A running FreeSWITCH; also a context manager."""

    def __init__(self, prefix: Path, folder: Path, dialplan: str = "") -> None:
        """`folder` is ours alone: configuration, scripts, database and log. `dialplan` are further extensions.

        Raise SwitchError where there is no FreeSWITCH, or are no ports left.
        """
        self.prefix = prefix
        self.folder = folder
        self._rtp = PortRange()
        self.ports = configuration.Ports(_free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM),
                                         self._rtp.first, self._rtp.last)
        modules = _module_folder(prefix)
        if modules is None:
            raise SwitchError(f"{prefix} has no folder of FreeSWITCH modules")
        self._modules = modules
        for name in ("conf", "scripts", "log", "db", "run"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        configuration.write(folder / "conf", self.ports, {file.stem for file in modules.glob("mod_*.so")}, dialplan)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """The log so far."""
        file = self.folder / "log/freeswitch.log"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def _errors(self) -> Path:
        return self.folder / "log/stderr"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None, "not started"
        return self._process.pid

    def use_this_package(self, site_packages: Path | None = None) -> None:
        """Have the package that runs here loaded at start-up, without installing it; see `add_script`."""
        self.add_script(Path(__file__).resolve().parents[2] / "scripts" / f"{_SHIM}.py", site_packages)
        self.set_startup_script(_SHIM)

    def add_script(self, source: Path, site_packages: Path | None = None) -> None:
        """Copy a script to where mod_python3 finds it by its name.

        `site_packages` is where it finds the package, if it has a line for that and `start` is not to say it.
        """
        text = source.read_text()
        if site_packages is not None:
            text = text.replace('SITE_PACKAGES = ""', f'SITE_PACKAGES = "{site_packages.resolve()}"')
        (self.folder / "scripts" / source.name).write_text(text)

    def set_startup_script(self, script: str) -> None:
        """Have mod_python3 run `script` at start-up."""
        (self.folder / "conf/autoload_configs/python.conf.xml").write_text(
            '<configuration name="python.conf"><settings>\n'
            f'    <param name="startup-script" value="{script}"/>\n  </settings></configuration>\n')

    def start(self, extra: Sequence[str] = (), python_path: bool = True) -> EventSocket:
        """Start and wait until the event socket answers. Raise SwitchError with the end of the log; nothing runs then.

        With `python_path` its Python finds what ours finds; without, only what was installed into it.
        """
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
        environment["PYTHONPATH"] = os.pathsep.join(_our_python_path()) if python_path else ""
        environment["PYTHONFAULTHANDLER"] = "1"  # a crash says on stderr what its Python threads were doing
        folder = self.folder
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(self.prefix / "bin/freeswitch"), "-conf", str(folder / "conf"), "-log", str(folder / "log"),
                 "-db", str(folder / "db"), "-run", str(folder / "run"), "-scripts", str(folder / "scripts"),
                 "-mod", str(self._modules), "-nonat", "-nf", "-np", "-c", *extra],
                env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, cwd=folder,
                start_new_session=True)  # an interrupt from the terminal is for us, who end it in order
        try:
            return self._connect()
        except BaseException:
            self.stop()
            raise

    def _connect(self) -> EventSocket:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            try:
                return EventSocket(self.ports.event_socket, configuration.PASSWORD)
            except OSError:
                time.sleep(0.1)
        raise SwitchError(f"FreeSWITCH in {self.prefix} did not start; its log ends with: {self.log[-2000:]}")

    def wait_for_module(self, events: EventSocket, timeout: float = 600.0) -> None:
        """Wait until ``uuid_audio_stream`` works (the first time, it is compiled). Raise SwitchError."""
        deadline = time.monotonic() + timeout
        while not events.api("uuid_audio_stream list").startswith("["):
            if "mod_audio_stream is not loaded:" in self.log or time.monotonic() > deadline:
                raise SwitchError(f"mod_audio_stream was not loaded; the log ends with: {self.log[-2000:]}")
            time.sleep(0.1)

    def has_crashed(self) -> bool:
        """Return whether the process ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> int:
        """End the process (SIGTERM, then SIGKILL); return its exit status, below 0 for a signal.

        Print the end of the log and of stderr when it has crashed.
        """
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            if process.stdin is not None:
                process.stdin.close()
        if status < 0:
            print(f"FreeSWITCH ended by signal {-status}; its log ends with:\n{self.log[-_SHOWN:]}\n"
                  f"and stderr with:\n{self._errors.read_text(errors='replace')[-_SHOWN:]}")
        return status

    def __enter__(self) -> FreeSwitch:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _our_python_path() -> list[str]:
    package = str(Path(__file__).resolve().parents[2])
    return [package, sysconfig.get_path("purelib"), *(path for path in sys.path if path.endswith("site-packages"))]
