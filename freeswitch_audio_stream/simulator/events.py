"""Events and the log of the embedded switch: fired, kept in order, and there to be waited for."""

from __future__ import annotations

import ctypes
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Mapping

from ..switch.constants import LogLevel, Status


@dataclass(frozen=True)
class Event:
    """An event that was fired; `name` is ``CUSTOM`` or one of the switch's own, `time` is of
    ``time.monotonic``.
    """
    name: str
    subclass: str
    headers: Mapping[str, str]
    body: str
    time: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class LogLine:
    """A line of the log; `uuid` names the call it belongs to."""
    level: LogLevel
    text: str
    uuid: str | None


@dataclass
class _Draft:
    """An event that C code holds: ``switch_event_t *`` is its number."""
    subclass: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


class Events:
    """The event system. `fired` grows for ever: a long run clears it now and then."""

    def __init__(self, channel_data: Callable[[int], Mapping[str, str]]) -> None:
        """`channel_data` answers the headers of the channel at an address."""
        self.fired: list[Event] = []
        self.log: list[LogLine] = []
        self.owners: dict[str, str] = {}
        """Who has reserved which subclass."""
        self._channel_data = channel_data
        self._drafts: dict[int, _Draft] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self.listeners: list[Callable[[Event], None]] = []
        """Called with every event, on the thread that fires it."""

    @property
    def held(self) -> int:
        """Events that C code has made and neither fired nor destroyed."""
        return len(self._drafts)

    def fire(self, event: Event) -> None:
        """Fire an event of the switch itself."""
        with self._changed:
            self.fired.append(event)
            self._changed.notify_all()
        for listener in self.listeners:
            listener(event)

    def wait(self, subclass: str, predicate: Callable[[Event], bool] | None = None,
             timeout: float = 10.0) -> Event:
        """The first event that was or will be fired with `subclass` (or that name) and satisfies `predicate`.

        Raise TimeoutError, with what came instead, after `timeout` seconds.
        """
        def found() -> Event | None:
            return next((event for event in self.fired if subclass in (event.subclass, event.name)
                         and (predicate is None or predicate(event))), None)
        with self._changed:
            if not self._changed.wait_for(lambda: found() is not None, timeout):
                came = [event.subclass or event.name for event in self.fired[-20:]]
                raise TimeoutError(f"no event {subclass} within {timeout} s; the last ones: {came}")
            event = found()
            assert event is not None
            return event

    # The C functions

    def c_create(self, file: bytes, function: bytes, line: int, out: int, event_id: int,
                 subclass: bytes | None) -> int:
        number = next(self._numbers)
        draft = _Draft((subclass or b"").decode())
        if subclass is not None:
            draft.headers = {"Event-Name": "CUSTOM", "Event-Subclass": draft.subclass}
        self._drafts[number] = draft
        ctypes.c_void_p.from_address(out).value = number
        return Status.SUCCESS

    def c_set_body(self, number: int, body: bytes) -> int:
        self._drafts[number].body = body.decode()
        return Status.SUCCESS

    def c_merge(self, number: int, other: int) -> None:
        self._drafts[number].headers.update(self._drafts[other].headers)

    def c_set_channel_data(self, channel: int, number: int) -> None:
        self._drafts[number].headers.update(self._channel_data(channel))

    def c_fire(self, file: bytes, function: bytes, line: int, slot: int, user_data: int | None) -> int:
        draft = self._take(slot)
        self.fire(Event("CUSTOM", draft.subclass, dict(draft.headers), draft.body))
        return Status.SUCCESS

    def c_destroy(self, slot: int) -> None:
        self._take(slot)

    def _take(self, slot: int) -> _Draft:
        pointer = ctypes.c_void_p.from_address(slot)
        draft = self._drafts.pop(pointer.value or 0)
        pointer.value = None
        return draft

    def c_reserve(self, owner: bytes, subclass: bytes) -> int:
        if subclass.decode() in self.owners:
            return Status.INUSE
        self.owners[subclass.decode()] = owner.decode()
        return Status.SUCCESS

    def c_free(self, owner: bytes, subclass: bytes) -> int:
        if self.owners.get(subclass.decode()) != owner.decode():
            return Status.FALSE
        del self.owners[subclass.decode()]
        return Status.SUCCESS

    def c_log(self, channel: int, file: bytes, function: bytes, line: int, uuid: bytes | None, level: int,
              template: bytes, text: bytes) -> None:
        self.log.append(LogLine(LogLevel(level), text.decode("utf-8", "replace").rstrip("\n"),
                                uuid.decode() if uuid else None))
