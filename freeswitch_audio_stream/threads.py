"""Starting threads: with a stack of known size, and behind the threads that carry calls.

FreeSWITCH as a packaged service runs with a stack limit of about 250 kB, which Python gives to every thread it
starts, and which TLS, JSON of hostile depth or a first import outgrow. Only what a thread touches becomes resident.

A media callback that wakes a thread of ours would, on a busy machine, often be pushed aside by it: the scheduler lets
a thread that has slept run first. Threads of the batch policy (sched(7)) get no such right of way: the callback
returns, then they run.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Callable

STACK_BYTES = 1 << 20
_lock = threading.Lock()


def start_thread(name: str, target: Callable[..., None], *arguments: Any, stack_bytes: int = STACK_BYTES,
                 carries_calls: bool = False) -> threading.Thread:
    """Run ``target(*arguments)`` on a daemon thread: FreeSWITCH never finalises Python, and must not wait for us.

    A thread that `carries_calls` is scheduled like FreeSWITCH's own media threads. The stack size is a setting of the
    whole interpreter; it is put back at once.
    """
    thread = threading.Thread(target=_begin, args=(name, carries_calls, target, *arguments), name=name, daemon=True)
    with _lock:
        before = threading.stack_size(stack_bytes)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    return thread


def _begin(name: str, carries_calls: bool, target: Callable[..., None], *arguments: Any) -> None:
    _show_name(name)
    if not carries_calls:
        _step_back()
    target(*arguments)


def _show_name(name: str) -> None:
    """To ``top -H``, ``perf`` and the like, which show 15 characters."""
    try:
        with open("/proc/thread-self/comm", "w", encoding="ascii") as file:
            file.write(name.replace("audio-stream", "audio"))
    except OSError:
        pass  # no /proc, or not ours to write: only the name is missing


def _step_back() -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # 0 is the calling thread
    except OSError:
        pass  # a sandbox that forbids it: the thread runs all the same
