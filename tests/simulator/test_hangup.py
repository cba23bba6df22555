"""Hangup at any instant: nothing is left behind, and nothing is touched that is gone."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import threading
import time
from typing import Callable

import numpy as np
import pytest

from freeswitch_audio_stream.errors import SwitchError
from freeswitch_audio_stream.simulator import EmbeddedSwitch
from freeswitch_audio_stream.switch import BugEvent, BugFlag, Session, Switch
from freeswitch_audio_stream.switch.layouts import BugCallback

pytestmark = pytest.mark.slow

CALLS = 1000
AT_ONCE = 20


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class CountingBug:
    """One callback for all: INIT and CLOSE must come out even."""

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self._lock = threading.Lock()
        self.callback = BugCallback(self._called)
        self.address = ctypes.cast(self.callback, ctypes.c_void_p).value or 0

    def _called(self, bug: int, user: int | None, event: int) -> int:
        with self._lock:
            self.opened += event == BugEvent.INIT
            self.closed += event == BugEvent.CLOSE
        return 1


def tap(session: Session, bug: CountingBug) -> None:
    """What a stream does: lock, attach, maybe detach, unlock, with the call ending anywhere in between."""
    with session:
        try:
            flags = BugFlag.READ_STREAM | BugFlag.WRITE_REPLACE
            address = session.add_bug("test", "", bug.address, 0, flags)
        except SwitchError:
            return
        time.sleep(random.random() * 0.002)
        if random.random() < 0.5:
            session.remove_bug(address)


def one_call(embedded: EmbeddedSwitch, switch: Switch, bug: CountingBug) -> None:
    app = random.choice(["park", "echo", "playback"])
    call = embedded.call(speech=np.ones(800, np.int16), app=app, speed=20, record_seconds=1)
    killer = threading.Timer(random.random() * 0.004, call.hangup)
    killer.start()
    session = switch.locate(call.uuid)
    if session is not None:
        tap(session, bug)
    killer.join()
    assert call.join(60), "a call was not destroyed"


def many(count: int, work: Callable[[], None]) -> None:
    problems: list[BaseException] = []

    def repeat() -> None:
        try:
            for _ in range(count // AT_ONCE):
                work()
        except BaseException as error:
            problems.append(error)
    threads = [threading.Thread(target=repeat) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]


def test_a_thousand_hangups_leave_nothing() -> None:
    embedded = EmbeddedSwitch()
    switch = Switch(embedded.resolve)
    bug = CountingBug()
    many(2 * AT_ONCE, lambda: one_call(embedded, switch, bug))  # caches and graves fill
    gc.collect()
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    memory = resident_bytes()
    many(CALLS, lambda: one_call(embedded, switch, bug))
    embedded.events.clear()
    gc.collect()
    assert bug.opened == bug.closed > 0
    assert embedded.misuses == 0 and len(embedded.sessions) == 0
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert resident_bytes() - memory < 64 << 20
    embedded.shutdown()


def test_a_lock_holds_up_destruction_and_nothing_else() -> None:
    embedded = EmbeddedSwitch()
    switch = Switch(embedded.resolve)
    call = embedded.call("abc", speed=10)
    session = switch.locate("abc")
    assert session is not None
    call.hangup()
    embedded.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert not call.destroyed.is_set()
    assert session.variable("uuid") == "abc" and session.is_hung_up()
    session.unlock()
    assert call.destroyed.wait(30)
    embedded.shutdown()


def test_use_of_a_destroyed_call_is_counted() -> None:
    embedded = EmbeddedSwitch()
    switch = Switch(embedded.resolve)
    call = embedded.call("abc", speed=10)
    stale = switch.session(call.pointer)
    call.hangup()
    assert call.destroyed.wait(30)
    assert stale.variable("uuid") is None
    assert embedded.misuses == 1
    embedded.shutdown()


def test_hang_up_all_names_who_is_held() -> None:
    embedded = EmbeddedSwitch()
    switch = Switch(embedded.resolve)
    embedded.call("abc", speed=10)
    session = switch.locate("abc")
    assert session is not None
    with pytest.raises(TimeoutError, match="abc"):
        embedded.hang_up_all(timeout=0.2)
    session.unlock()
    embedded.shutdown()
