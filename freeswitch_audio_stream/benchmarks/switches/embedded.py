"""The embedded switch with our module, in a process of its own, and the benchmark's hand on it.

    python -m freeswitch_audio_stream.benchmarks.switches.embedded

It reads orders, a line of JSON each, and answers each with a line of JSON.
"""

from __future__ import annotations

import sys
from typing import Any, TextIO

import numpy as np
import orjson

from ...module import AudioStreamModule
from ...simulator import CodecSpec, EmbeddedSwitch
from ...switch import Switch
from ..child import Child
from .inside import Inside
from .switch_process import answer_of

_NOISE_SECONDS = 5


class EmbeddedSwitchProcess:
    """See `switch_process.SwitchProcess`. Its calls are parked and speak L16."""

    def __init__(self) -> None:
        self._process = Child(__name__)
        self._made = 0
        self.pid = self._process.pid
        try:
            self.name = f"the embedded switch ({self.order('describe')['switch']})"
        except BaseException:
            self.close()
            raise

    def make_calls(self, count: int, rate: int) -> list[str]:
        calls = [f"bench-{self._made + number}" for number in range(count)]
        self._made += count
        for call in calls:
            self._ask({"call": call, "rate": rate})
        return calls

    def end_calls(self) -> None:
        self._ask({"end": True})

    def command(self, line: str) -> str:
        return str(self._ask({"command": line})).strip()

    def order(self, name: str, **arguments: Any) -> Any:
        return answer_of(self._ask({"inside": orjson.dumps({"order": name, **arguments}).decode()}), name)

    def _ask(self, order: dict[str, Any]) -> Any:
        self._process.tell(orjson.dumps(order).decode())
        return orjson.loads(self._process.answer())

    def check(self) -> None:
        self._process.check()

    def close(self) -> None:
        self._process.close()


class _Server:
    """The process's side."""

    def __init__(self) -> None:
        self._switch = EmbeddedSwitch()
        self._module = AudioStreamModule(Switch(self._switch.resolve))
        self._inside = Inside(self._switch.resolve, self._module)

    def serve(self, orders: TextIO) -> None:
        for line in orders:
            print(orjson.dumps(self._obey(orjson.loads(line))).decode(), flush=True)
        self._switch.shutdown()

    def _obey(self, order: dict[str, Any]) -> Any:
        if "call" in order:
            self._call(order["call"], order["rate"])
        elif "command" in order:
            return self._switch.execute(order["command"])
        elif "inside" in order:
            return self._inside.execute(order["inside"])
        else:
            self._switch.hang_up_all()
        return None

    def _call(self, uuid: str, rate: int) -> None:
        noise = np.random.default_rng(1).integers(-100, 100, _NOISE_SECONDS * rate).astype(np.int16)
        self._switch.call(uuid, noise, codec=CodecSpec("L16", rate), record_seconds=0)


if __name__ == "__main__":
    _Server().serve(sys.stdin)
