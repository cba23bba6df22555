"""Inside the switch that is measured: carries out the orders that the benchmark sends as lines of JSON.

In FreeSWITCH a script of mod_python3 calls `execute`; in the embedded switch's process its main loop does.
"""

from __future__ import annotations

import ctypes
import platform
import threading
import traceback
from typing import Any, Callable

import numba
import numpy as np
import orjson

from ...engine import BugKind
from ...engine.media.attachment import wrap_callbacks
from ...module import AudioStreamModule
from ...native.memory import Arena
from ...switch import BugFlag, Switch
from ...switch.library import Resolver, process_symbols
from ...threads import start_thread
from ..histogram import BUCKETS, Counts, pack
from . import probes

_BUG = "audio_stream_bench"
_NATIVE_FRAME = "switch_core_media_bug_get_native_read_frame"


class Inside:
    """The benchmark's hand inside one switch."""

    def __init__(self, resolve: Resolver, product: AudioStreamModule | None = None) -> None:
        """`resolve` is the switch's C library; `product` is needed where that has no native taps."""
        self._resolve = resolve
        self._product = product
        self._switch = Switch(resolve)
        self._bugs: list[tuple[str, int]] = []
        self._memory: list[Arena] = []
        self._times: dict[str, Counts] = {}
        self._ages = np.zeros(BUCKETS, np.int64)
        self._busy: list[tuple[threading.Thread, threading.Event]] = []
        self._orders: dict[str, Callable[..., Any]] = {
            "describe": self.describe, "time_callbacks": self.time_callbacks, "take_times": self.take_times,
            "busy": self.busy, "bare": self.bare, "stamp": self.stamp, "listen": self.listen,
            "take_ages": self.take_ages, "remove": self.remove, "trim": self.trim}

    def execute(self, line: str) -> str:
        """Carry out ``{"order": name, argument: value …}``; the answer is JSON: ``{"answer": …}`` or ``{"error": …}``.
        """
        try:
            order = orjson.loads(line)
            answer = self._orders[order.pop("order")](**order)
            return orjson.dumps({"answer": answer}).decode()
        except Exception:
            return orjson.dumps({"error": traceback.format_exc()}).decode()

    def describe(self) -> dict[str, str]:
        """Versions."""
        return {"switch": self._switch.version, "python": platform.python_version(), "numba": numba.__version__,
                "numpy": np.__version__}

    def trim(self) -> None:
        """Give the system back what is free: how much malloc keeps at hand is chance."""
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
        if trim is not None:
            trim(0)

    # The product's callbacks

    def time_callbacks(self) -> None:
        """Measure the media callbacks of streams that start from now on."""
        wrap_callbacks(self._timed)

    def _timed(self, kind: BugKind, callback: int) -> int:
        counts = self._times[kind.value] = np.zeros(BUCKETS, np.int64)
        return probes.timed_callback(callback, int(counts.ctypes.data))

    def take_times(self) -> dict[str, list[list[int]]]:
        """How long they took since the last time this was asked, by kind of bug."""
        return {kind: pack(counts) for kind, counts in self._times.items()}

    def busy(self, threads: int) -> int:
        """Have as many Python threads compute, and nothing else."""
        for thread, stop in self._busy:
            stop.set()
            thread.join()
        self._busy = []
        for _ in range(threads):
            stop = threading.Event()
            self._busy.append((start_thread("bench-busy", _compute, stop, carries_calls=True), stop))
        return threads

    # Bugs of our own

    def bare(self, calls: list[str]) -> int:
        """Attach the least that a module can do."""
        callback = probes.bare_callback(self._switch.library.address("switch_core_media_bug_read"))
        for call in calls:
            memory = Arena({"frame": probes.BARE_BUG_BYTES})
            self._memory.append(memory)  # for ever: the switch may call late
            self._attach(call, callback, memory.address("frame"), BugFlag.READ_STREAM)
        return len(calls)

    def stamp(self, calls: list[str]) -> int:
        """Have the callers' audio carry the time at which it reached the switch."""
        native_frame = self._resolve(_NATIVE_FRAME)
        if native_frame:
            callback = probes.stamping_callback(native_frame)
            for call in calls:
                self._attach(call, callback, 0, probes.TAP_NATIVE_READ)
        else:
            self._stamp_reads()
        return len(calls)

    def _stamp_reads(self) -> None:
        assert self._product is not None
        read = probes.stamping_read(self._switch.library.address("switch_core_media_bug_read"))
        self._product.core.replace_function("switch_core_media_bug_read", read)

    def listen(self, calls: list[str]) -> int:
        """Take the ages of the stamps that the callers hear."""
        callback = probes.listening_callback(
            self._switch.library.address("switch_core_media_bug_get_write_replace_frame"),
            int(self._ages.ctypes.data))
        for call in calls:
            self._attach(call, callback, 0, BugFlag.WRITE_REPLACE)
        return len(calls)

    def take_ages(self) -> list[list[int]]:
        """What `listen` has heard since the last time this was asked."""
        return pack(self._ages)

    def remove(self) -> int:
        """Remove every bug of ours from calls that are still up."""
        bugs, self._bugs = self._bugs, []
        for call, bug in bugs:
            session = self._switch.locate(call)
            if session is not None:
                with session:
                    session.remove_bug(bug)
        return len(bugs)

    def _attach(self, call: str, callback: int, user: int, flags: int) -> None:
        session = self._switch.locate(call)
        if session is None:
            raise LookupError(f"no call {call}")
        with session:
            self._bugs.append((call, session.add_bug(_BUG, "bench", callback, user, flags)))


def _compute(stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        for number in range(number, number + 10_000):
            number = (number * 1103515245 + 12345) & 0x7FFFFFFF


_inside: Inside | None = None


def execute(line: str) -> str:
    """`Inside.execute` in the FreeSWITCH that this process is."""
    global _inside
    if _inside is None:
        _inside = Inside(process_symbols())
    return _inside.execute(line)
