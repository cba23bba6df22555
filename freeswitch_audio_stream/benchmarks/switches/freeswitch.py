"""A real FreeSWITCH as the switch that is measured."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Mapping

import orjson

from ...errors import SwitchError
from ...testing import FreeSwitch
from .switch_process import answer_of

_SCRIPT = Path(__file__).with_name("inside_script.py")


class RealSwitch:
    """A FreeSWITCH that is started for the benchmark alone, and ended with it.

    Its calls are legs of FreeSWITCH's ``null`` endpoint, parked: one session and one thread each, paced by a timer
    of its own, with L16 noise to read. No other leg costs less.
    """

    def __init__(self, prefix: Path, peer: Path | None = None, site_packages: Path | None = None,
                 variables: Mapping[str, str] | None = None) -> None:
        """With the module at `peer` instead of ours.

        `site_packages` is where FreeSWITCH's Python finds us and what we need, if that is not where this one does;
        `variables` are global ones.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="audio-stream-bench-")
        self._server = FreeSwitch(prefix, Path(self._folder.name))
        self._server.add_script(_SCRIPT, site_packages)
        if peer is None:
            self._server.use_this_package(site_packages)
        self._made = 0
        self._what = "FreeSWITCH" if peer is None else "the peer's FreeSWITCH"
        self._socket = self._server.start(python_path=site_packages is None)
        try:
            for name, value in (variables or {}).items():
                self.command(f"global_setvar {name}={value}")
            if peer is None:
                self._server.wait_for_module(self._socket)
            else:
                self._load(peer)
            self.name = f"FreeSWITCH {self.order('describe')['switch']}"
        except BaseException:
            self.close()
            raise
        self.pid = self._server.pid

    def _load(self, peer: Path) -> None:
        reply = self.command(f"load {peer.resolve()}")
        if "+OK" not in reply:
            raise SwitchError(f"FreeSWITCH does not load {peer}: {reply}")

    def make_calls(self, count: int, rate: int) -> list[str]:
        made = [f"bench-{self._made + number}" for number in range(count)]
        self._made += count
        for call in made:
            reply = self.command(f"originate {{origination_uuid={call},rate={rate}}}null/bench &park")
            if not reply.startswith("+OK"):
                raise SwitchError(f"FreeSWITCH does not make a call: {reply}")
        return made

    def check(self) -> None:
        if self._server.has_crashed():
            last = self._server.log.rstrip().rpartition("\n")[2]
            raise SwitchError(f"{self._what} ended by itself; its log ends with: {last}")

    def end_calls(self) -> None:
        self._socket.end_calls()

    def command(self, line: str) -> str:
        try:
            return self._socket.api(line)
        except OSError:  # a lost connection or a timeout: the process may be the reason
            self.check()
            raise

    def order(self, name: str, **arguments: Any) -> Any:
        line = orjson.dumps({"order": name, **arguments}).decode()
        return answer_of(self.command(f"python {_SCRIPT.stem} {line}"), name)

    def close(self) -> None:
        self._socket.close()
        self._server.stop()
        self._folder.cleanup()
