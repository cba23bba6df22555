"""Threads of ours, as the system sees them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from freeswitch_audio_stream.threads import start_thread


def run(name: str, **how: bool) -> tuple[str, int, bool]:
    """The name that the system shows, its policy, and whether it is a daemon, of a thread."""
    seen: list[tuple[str, int, bool]] = []

    def look() -> None:
        shown = Path("/proc/thread-self/comm").read_text().strip()
        seen.append((shown, os.sched_getscheduler(0), threading.current_thread().daemon))
    start_thread(name, look, **how).join()
    return seen[0]


def test_a_thread_steps_behind_those_that_carry_calls() -> None:
    assert run("audio-stream-0-io") == ("audio-0-io", os.SCHED_BATCH, True)
    assert run("audio-stream-0-clock", carries_calls=True) == ("audio-0-clock", os.sched_getscheduler(0), True)


def test_a_long_name_is_cut() -> None:
    assert run("audio-stream-media-worker")[0] == "audio-media-wor"


def test_where_the_system_forbids_both_the_thread_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise PermissionError
    monkeypatch.setattr(os, "sched_setscheduler", forbid)
    monkeypatch.setattr("builtins.open", forbid)
    ran = threading.Event()
    start_thread("audio-stream-0-io", ran.set).join()
    assert ran.is_set()


def test_the_stack_size_of_other_threads_stays() -> None:
    before = threading.stack_size()
    start_thread("audio-stream-0-io", lambda: None, stack_bytes=256 << 10).join()
    assert threading.stack_size() == before
