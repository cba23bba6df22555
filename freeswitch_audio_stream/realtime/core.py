"""`Core`: the interface of the compiled core: its threads, its streams, the callbacks for FreeSWITCH."""

from __future__ import annotations

import itertools
import os
import select
import threading
import time
from collections import Counter
from typing import Any, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..audio import ALAW_DECODE, ALAW_ENCODE, MULAW_DECODE, MULAW_ENCODE
from ..errors import CoreFailed
from ..native.libc import EPOLL_EVENT_BYTES
from ..native.memory import Arena
from ..protocols.messages import MediaTemplate
from ..threads import start_thread
from . import wakeup
from .indices import Indices
from .media import capture, dtmf, playback
from .media.resampler import TABLE_RATES, ResamplerTables
from .media.write_clock import run_write_clock
from .path import MediaPath
from .path_format import CONNECTION_ONLY, PathFormat
from .records import CLOCK_LOOP, FUNCTIONS, IO_LOOP, MAX_STREAMS, QUEUE, QUEUE_SLOTS, SCRATCH_BYTES, STREAM
from .wire.encoding import BASE64_TABLE
from .wire.incoming import RECEIVE_BYTES
from .wire.io_loop import EVENT_BATCH, MAX_NAP_US, run_io_loop, watch_wakeups
from .wire.outgoing import MASK_BYTES

C_FUNCTIONS = FUNCTIONS.names or ()
"""Names of the C functions whose addresses `Core` needs."""

CAPTURE_READ: int = capture.capture_read.address
CAPTURE_WRITE: int = capture.capture_write.address
PLAYBACK_REPLACE: int = playback.playback_replace.address

STREAMS_TOGETHER = 512
"""Streams that one I/O loop serves before the next is used."""

_GIVE_UP_SECONDS = 5.0  # for the threads that run, where one does not
_forever: list[Core] = []  # FreeSWITCH or a compiled thread may still hold an address of theirs
_idle: list[Core] = []  # those that were stopped and have nothing left to do


class Queue:
    """A queue of stream indices with its eventfd; see `wakeup`."""

    def __init__(self) -> None:
        self._slots = np.zeros(QUEUE_SLOTS, np.int64)
        self._record = np.zeros(1, QUEUE)
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._record["slots"], self._record["event_fd"] = self._slots.ctypes.data, self.event_fd
        self.address = int(self._record.ctypes.data)

    def wake(self) -> None:
        """Wake the reader. Any thread; does not block."""
        os.eventfd_write(self.event_fd, 1)

    def wait(self, seconds: float | None) -> None:
        """Sleep without the GIL until something is queued, `wake` is called or time is up. Reader only."""
        wakeup.wait(self.address, -1 if seconds is None else max(0, int(seconds * 1e6)))

    def take(self) -> Iterator[int]:
        """Take the stream indices queued now, oldest first. Only the reader."""
        while (index := wakeup.pop(self.address)) >= 0:
            yield index


class Worker:
    """One I/O loop, one write clock, and the queue of the dispatcher that looks after their streams.

    Its threads can be stopped and started again: memory and descriptors stay the same.
    """

    def __init__(self, name: str, streams: int, functions: int) -> None:
        self._name = name
        self.io_queue, self.clock_queue, self.dispatch_queue = Queue(), Queue(), Queue()
        self._memory = Arena({"received": RECEIVE_BYTES, "scratch": SCRATCH_BYTES, "masks": MASK_BYTES,
                              "events": (EVENT_BATCH + 1) * EPOLL_EVENT_BYTES, "active": 8 * MAX_STREAMS})
        self._epoll = select.epoll()
        self._io_loop, self._clock_loop = np.zeros(1, IO_LOOP), np.zeros(1, CLOCK_LOOP)
        self._set_up_io_loop(streams)
        self._set_up_clock(streams, functions)
        self._threads: list[threading.Thread] = []
        self.clock_thread = 0

    def start(self, longest_nap_us: int) -> None:
        """Start the threads; raise CoreFailed if the write clock does not come up: `stop` ends the other.

        What is left in the queues is taken then: it belongs to no stream any more.
        """
        for record in (self._io_loop, self._clock_loop):
            record["stop"] = 0
        self._clock_loop["thread"] = 0
        self._io_loop["longest_nap"] = longest_nap_us
        self._threads = [start_thread(f"{self._name}-io", run_io_loop, int(self._io_loop.ctypes.data))]
        self._threads.append(start_thread(f"{self._name}-clock", run_write_clock, int(self._clock_loop.ctypes.data),
                                          carries_calls=True))
        self.clock_thread = self._wait_for_clock()

    def _set_up_io_loop(self, streams: int) -> None:
        record = self._io_loop[0]
        for name in ("received", "scratch", "masks", "events"):
            record[name] = self._memory.address(name)
        record["queue"], record["streams"] = self.io_queue.address, streams
        record["epoll_fd"] = self._epoll.fileno()
        record["base64_table"] = BASE64_TABLE.ctypes.data
        record["mulaw_table"], record["alaw_table"] = MULAW_ENCODE.ctypes.data, ALAW_ENCODE.ctypes.data
        watch_wakeups(int(self._io_loop.ctypes.data))

    def _set_up_clock(self, streams: int, functions: int) -> None:
        record = self._clock_loop[0]
        record["queue"], record["streams"], record["functions"] = self.clock_queue.address, streams, functions
        record["active"] = self._memory.address("active")

    def _wait_for_clock(self) -> int:
        # The thread's first act is to say who it is.
        clock = self._threads[-1]
        while not self._clock_loop[0]["thread"]:
            if not clock.is_alive() and not self._clock_loop[0]["thread"]:
                raise CoreFailed(f"the thread {clock.name}, which writes audio to parked calls, ended at its start: "
                                 "look for an exception in the log, and load the module again")
            time.sleep(0.001)
        return int(self._clock_loop[0]["thread"])

    def stop(self, deadline: float) -> bool:
        """End both threads; False if one is still running at `deadline` (time.monotonic, s)."""
        self._io_loop["stop"] = 1
        self._clock_loop["stop"] = 1
        self.io_queue.wake()
        self.clock_queue.wake()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


def start_core(functions: Mapping[str, int], workers: int, longest_nap_us: int = MAX_NAP_US) -> Core:
    """A core whose threads run: one that was stopped, where there is one, for its memory cannot be freed; else a new
    one. Arguments are those of `Core`.
    """
    try:
        core = _idle.pop()  # in one step: two threads may get here at once
    except IndexError:
        return Core(functions, workers, longest_nap_us)
    core.start(functions, workers, longest_nap_us)
    return core


class Core:
    """The compiled core of one process.

    Made at load, on a thread with room on its stack: importing this module compiles the code (or loads
    it from the cache). Its memory stays for the life of the process; `stop` ends its threads.
    """

    def __init__(self, functions: Mapping[str, int], workers: int, longest_nap_us: int = MAX_NAP_US) -> None:
        """`functions` maps each name of C_FUNCTIONS to its address; `workers` is the number of I/O loops, which nap for
        `longest_nap_us` at most while many streams are up, and never where it is 0.
        """
        self._functions = np.zeros(1, FUNCTIONS)
        self._streams = np.zeros(MAX_STREAMS, STREAM)
        self._indices = Indices(MAX_STREAMS)
        self._lock = threading.Lock()
        self._tables = ResamplerTables()
        for rate in TABLE_RATES:
            self._tables.prepare(rate)
        self._made = [self._make_worker(0)]
        self._serves: dict[int, Worker] = {}  # by index of the stream
        # Calls go on to report their digits to its hook when the module has been unloaded and loaded again.
        self.digits = dtmf.DigitQueue(self._made[0].dispatch_queue.event_fd)
        _forever.append(self)
        self.start(functions, workers, longest_nap_us)

    def _make_worker(self, number: int) -> Worker:
        return Worker(f"audio-stream-{number}", int(self._streams.ctypes.data), int(self._functions.ctypes.data))

    def start(self, functions: Mapping[str, int], workers: int, longest_nap_us: int = MAX_NAP_US) -> None:
        """Start the threads, at first or after `stop` has answered True; raise CoreFailed if one does not come up: then
        none runs.
        """
        for name in C_FUNCTIONS:
            self._functions[name] = functions[name]
        self._made += [self._make_worker(number) for number in range(len(self._made), workers)]
        self.workers = self._made[:workers]
        """Those whose threads run."""
        self._next_clock = itertools.cycle(self.workers)
        self.digits.discard()
        try:
            for worker in self.workers:
                worker.start(longest_nap_us)
        except BaseException:
            self.stop(_GIVE_UP_SECONDS)
            raise

    def replace_function(self, name: str, address: int) -> None:
        """Have compiled code call `address` for the C function `name` (of C_FUNCTIONS) until the next `start`; for
        whoever measures. Any thread.
        """
        self._functions[name] = address

    def open_path(self, form: PathFormat, templates: Sequence[MediaTemplate]) -> tuple[MediaPath, Worker]:
        """Return a new stream's compiled state and the worker that serves it; raise CoreFull if MAX_STREAMS are open.
        """
        record, worker = self._open_record(None)
        return MediaPath(record, form, templates), worker

    def _choose_worker(self) -> Worker:
        # As few loops as the streams need: those that share one share its wake-ups.
        busy = Counter(self._serves.values())
        return next((worker for worker in self.workers if busy[worker] < STREAMS_TOGETHER),
                    min(self.workers, key=lambda worker: busy[worker]))

    def open_source(self, form: PathFormat, worker: Worker) -> MediaPath:
        """A capture ring that the dispatcher of `worker` reads, instead of an I/O loop: its index comes by
        the dispatcher's queue for every chunk. Raise CoreFull as `open_path` does.
        """
        record, _ = self._open_record(worker)
        record[0]["io_queue"] = worker.dispatch_queue.address
        return MediaPath(record, form, [])

    def open_connection(self, worker: Worker) -> MediaPath:
        """Return the state of a further connection of a stream that `worker` serves, which has no audio of its own.
        Raise CoreFull as `open_path` does.
        """
        record, _ = self._open_record(worker)
        return MediaPath(record, CONNECTION_ONLY, [])

    def _open_record(self, worker: Worker | None) -> tuple[NDArray[Any], Worker]:
        with self._lock:  # chosen and counted in one: others are opened at the same time
            index = self._indices.take()
            worker = worker or self._choose_worker()
            self._serves[index] = worker
        record = self._streams[index:index + 1]
        _clear(record)
        field = record[0]
        field["address"], field["index"] = record.ctypes.data, index
        field["functions"], field["tables"] = self._functions.ctypes.data, self._tables.address
        field["io_queue"], field["dispatch_queue"] = worker.io_queue.address, worker.dispatch_queue.address
        # Not the worker's own clock: writing frames is what takes a clock's time, so all clocks share it evenly.
        clock = next(self._next_clock)
        field["clock_queue"], field["clock_thread"] = clock.clock_queue.address, clock.clock_thread
        field["digits"] = self.digits.address
        field["mulaw_levels"], field["alaw_levels"] = MULAW_DECODE.ctypes.data, ALAW_DECODE.ctypes.data
        return record, worker

    def close_path(self, path: MediaPath) -> None:
        """Free a stream's memory and index. Only when its bugs are closed, its socket detached and its clock off."""
        path.release()
        with self._lock:
            self._indices.give_back(path.index)
            del self._serves[path.index]

    def stop(self, seconds: float) -> bool:
        """End the core's threads; False if one did not end in time. Streams should have ended before.

        Where none is left, and no thread either, the core is at hand for `start_core`.
        """
        deadline = time.monotonic() + seconds
        ended = all([worker.stop(deadline) for worker in self.workers])
        if ended and not self._serves and self not in _idle:
            _idle.append(self)
        return ended


def _clear(record: NDArray[Any]) -> None:
    # A loop may still hold the index of the stream that was here before: the flag that says so is not
    # touched, not even for a moment, because the loop lowers it. A dispatcher drops an index that nobody
    # adopted, and leaves the flag up, which would keep the next stream from ever being queued.
    field = record[0]
    kept = {"clock_queued"} | ({"io_queued"} if field["io_queue"] != field["dispatch_queue"] else set())
    for name in STREAM.names or ():
        if name not in kept:
            field[name] = 0
