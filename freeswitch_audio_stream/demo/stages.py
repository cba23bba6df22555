"""Where the demo is played. Both stages do the same through the same commands and events."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Protocol

import numpy as np
from numpy.typing import NDArray

from ..audio import Samples
from ..engine.events.reports import SUBCLASSES
from ..errors import SwitchError
from ..module import AudioStreamModule
from ..services.agent.wav import read_wav
from ..simulator import CodecSpec, EmbeddedSwitch
from ..switch import Switch
from ..testing import EventSocket, FreeSwitch

RATE = 8000
"""Hz of the call, and of the stream."""
OnEvent = Callable[[str, dict[str, Any]], None]
_TIMEOUT = 30.0


class Stage(Protocol):
    """A switch with one call in it."""

    name: str

    def begin(self) -> str:
        """Make the call, whose caller starts to speak; return its UUID."""

    def execute(self, command: str) -> str:
        """Carry out an API command and answer what it prints."""

    def spoken_at(self) -> NDArray[np.float64] | None:
        """When each 20 ms of speech was handed to the stream (time.monotonic, s); None where nobody can know."""

    def heard(self) -> tuple[Samples, int]:
        """What the caller has heard, and its rate in Hz. At the end."""

    def end(self) -> None:
        """Hang up and stop the switch."""


class EmbeddedStage:
    """The embedded switch, in this process."""

    name = "the embedded switch"

    def __init__(self, speech: Path, on_event: OnEvent) -> None:
        self._speech, rate = read_wav(speech)
        assert rate == RATE
        self._switch = EmbeddedSwitch()
        self._module = AudioStreamModule(Switch(self._switch.resolve))
        self._on_event = on_event
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="demo-events")
        self._watcher.start()

    def _watch(self) -> None:
        seen = 0
        while True:
            ending = self._ending.wait(0.05)
            events = self._switch.events
            for event in events[seen:]:
                if event.subclass:
                    self._on_event(event.subclass, json.loads(event.body))
            seen = len(events)
            if ending:
                return

    def begin(self) -> str:
        self._call = self._switch.call(speech=self._speech, codec=CodecSpec("PCMU", RATE, 20, 1), app="park")
        return self._call.uuid

    def execute(self, command: str) -> str:
        return self._switch.execute(command)

    def spoken_at(self) -> NDArray[np.float64]:
        return self._call.spoken_frames()[:, 0] / 1e9

    def heard(self) -> tuple[Samples, int]:
        return self._call.heard(), RATE

    def end(self) -> None:
        self._call.hangup()
        self._switch.shutdown()
        self._ending.set()
        self._watcher.join()


class FreeSwitchStage:
    """A real FreeSWITCH of our own; the caller is a SIP call from it to itself."""

    def __init__(self, prefix: Path, speech: Path, on_event: OnEvent) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="audio-stream-demo-")
        self._speech = speech
        self._on_event = on_event
        self._freeswitch = FreeSwitch(prefix, Path(self._folder.name))
        self._freeswitch.use_this_package()
        self._events = self._freeswitch.start()
        self.name = "FreeSWITCH " + self._events.api("version short").split("\n")[0]
        self._freeswitch.wait_for_module(self._events)
        self._events.subscribe("CUSTOM " + " ".join(SUBCLASSES))
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="demo-events")
        self._watcher.start()
        self._record = Path(self._folder.name) / "heard.wav"

    def _watch(self) -> None:
        seen = 0
        while True:
            ending = self._ending.wait(0.05)
            for event in self._events.events[seen:]:
                seen += 1
                if event.get("Event-Subclass"):
                    self._on_event(event["Event-Subclass"], json.loads(event["_body"]))
            if ending:
                return

    def begin(self) -> str:
        variables = "absolute_codec_string=PCMU,RECORD_READ_ONLY=true"
        answer = self._events.api(f"originate {{{variables}}}sofia/internal/park@127.0.0.1:"
                                  f"{self._freeswitch.ports.sip} &playback({self._speech})")
        if not answer.startswith("+OK"):
            raise SwitchError(f"FreeSWITCH could not make the call: {answer}")
        self._caller = answer.split()[1]
        self._events.api(f"uuid_record {self._caller} start {self._record}")
        return _called_leg(self._events, self._caller)

    def execute(self, command: str) -> str:
        return self._events.api(command)

    def spoken_at(self) -> None:
        return None

    def heard(self) -> tuple[Samples, int]:
        self._events.api(f"uuid_record {self._caller} stop {self._record}")
        return read_wav(self._record)

    def end(self) -> None:
        self._events.api("hupall")
        self._ending.set()
        self._watcher.join()
        self._events.close()
        status = self._freeswitch.stop()
        self._folder.cleanup()
        if status != 0:
            raise SwitchError(f"FreeSWITCH ended with status {status}")


def _called_leg(events: EventSocket, caller: str) -> str:
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline:
        rows = json.loads(events.api("show channels as json")).get("rows", [])
        for row in rows:
            if row["uuid"] != caller:
                return str(row["uuid"])
        time.sleep(0.05)
    raise SwitchError("the called leg did not come up")
