"""Calls and streams on one switch, for as long as one measurement takes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Iterator, NamedTuple, Sequence

from ..errors import AudioStreamError
from .processes import CpuTime, cpu_time
from .receiver import Heard, Receiver
from .switches import SwitchProcess
from .work import FRAMES_PER_SECOND, Module, Work

SETTLE_SECONDS = 1.0
_CONNECT_SECONDS = 60.0
_END_SECONDS = 30.0


class BenchError(AudioStreamError):
    """A measurement that could not be made, in one sentence."""


class Interval(NamedTuple):
    """What happened in a stretch of time."""

    cpu: CpuTime
    """Of the switch."""
    receiver_cpu: CpuTime
    heard: Heard
    due: int
    """Frames that the calls had."""

    @property
    def lost(self) -> int:
        """Frames that were due and did not come; a frame more or less per stream is the edge of the interval."""
        return self.due - self.heard.frames


class Bench:
    """One switch with one module, and the receiver that its streams connect to."""

    def __init__(self, switch: SwitchProcess, module: Module, receiver: Receiver) -> None:
        self.switch = switch
        self.module = module
        self.receiver = receiver

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.module.name} in {self.switch.name}"

    @contextmanager
    def calls(self, count: int, rate: int, settle: float = SETTLE_SECONDS) -> Iterator[list[str]]:
        """So many calls, `settle` seconds old."""
        calls = self.switch.make_calls(count, rate)
        try:
            time.sleep(settle)
            yield calls
        finally:
            self.switch.end_calls()

    @contextmanager
    def streams(self, calls: Sequence[str], work: Work, first: int = 0) -> Iterator[None]:
        """A stream on each call, connected and sending; stream n of the receiver is call n − `first`."""
        self.start(calls, work, first)
        try:
            self.wait_until_flowing(range(first, first + len(calls)))
            yield
        finally:
            self.stop(calls)

    def start(self, calls: Sequence[str], work: Work, first: int = 0) -> None:
        """Start them, without waiting."""
        for number, call in enumerate(calls, first):
            self.receiver.forget(number)
            reply = self.switch.command(self.module.start_command(call, self.receiver.url(number), work))
            if not reply.startswith("+OK"):
                raise BenchError(f"{self.name} does not start a stream: {reply}")

    def wait_until_flowing(self, numbers: Sequence[int]) -> None:
        """Wait until each has sent for a while."""
        frames = int(SETTLE_SECONDS * FRAMES_PER_SECOND)
        flowing = self.receiver.wait_for_frames(numbers, frames, _CONNECT_SECONDS)
        if flowing < len(numbers):
            raise BenchError(f"{self.name}: only {flowing} of {len(numbers)} streams send audio")

    def stop(self, calls: Sequence[str]) -> None:
        """Stop them and wait until they have disconnected."""
        for call in calls:
            self.switch.command(self.module.stop_command(call))
        left = self.receiver.wait_for_ends(_END_SECONDS)
        if left:
            raise BenchError(f"{self.name}: {left} streams do not disconnect after stop")

    def observe(self, seconds: float, streams: int) -> Interval:
        """Let time pass, and see what it costs and what comes."""
        pids = self.switch.pid, self.receiver.pid
        before = [cpu_time(pid) for pid in pids]
        self.receiver.record()
        time.sleep(seconds)
        heard = self.receiver.heard()
        mine, other = (cpu_time(pid) - earlier for pid, earlier in zip(pids, before))
        return Interval(mine, other, heard, round(streams * heard.seconds * FRAMES_PER_SECOND))
