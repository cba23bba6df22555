"""Calls and streams on one switch, for as long as one measurement takes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Callable, Iterator, NamedTuple, Sequence

from ...errors import AudioStreamError
from ..errors import BenchError
from ..receiver.media_clients import MeasuredMediaServer
from ..receiver.receiver import Heard, Receiver, wait_until
from ..switches.processes import CpuTime, cpu_time
from ..switches.switch_process import SwitchProcess
from ..work import FRAMES_PER_SECOND, MeasuredModule, Work

SETTLE_SECONDS = 1.0
_UNWOKEN_SECONDS = 0.002
_CONNECT_SECONDS = 60.0
_END_SECONDS = 30.0
_LOOK_SECONDS = 1.0


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

    def __init__(self, switch: SwitchProcess, module: MeasuredModule, receiver: Receiver,
                 other: SwitchProcess | None = None, media_server: MeasuredMediaServer | None = None) -> None:
        """`other` is that of the module which it takes turns with; `media_server` is needed for works that attach."""
        self.switch = switch
        self._processes: list[SwitchProcess | Receiver] = [switch, receiver, *([other] if other else [])]
        self.module = module
        self.receiver = receiver
        self._media_server = media_server

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.module.name} in {self.switch.name}"

    def check(self) -> None:
        """Raise AudioStreamError where a process has ended by itself."""
        for process in self._processes:
            process.check()

    def wait(self, condition: Callable[[], bool], timeout: float, step: float = 0.01) -> bool:
        """Ask every `step` seconds; False where it did not become true in time."""
        def true_or_dead() -> bool:
            self.check()
            return condition()
        return wait_until(true_or_dead, timeout, step)

    def settle(self) -> None:
        """Wait until what was just begun goes on evenly."""
        self.let_pass(SETTLE_SECONDS)

    def let_pass(self, seconds: float) -> None:
        """Sleep, but for a look now and then whether everybody is there."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
            self.check()

    @contextmanager
    def unwoken(self) -> Iterator[None]:
        """Let nobody wake the receiver, which looks now and then instead: the sender would pay for that, as they share
        a machine; where there is a network in between, it does not.
        """
        self.receiver.look_every(_UNWOKEN_SECONDS)
        try:
            yield
        finally:
            self.receiver.look_every(0.0)

    @contextmanager
    def calls(self, count: int, rate: int, settled: bool = True) -> Iterator[list[str]]:
        """So many calls; `settled`, so that setting them up is over."""
        calls = self.switch.make_calls(count, rate)
        with _ending(self.switch.end_calls):
            if settled:
                self.settle()
            yield calls

    @contextmanager
    def streams(self, calls: Sequence[str], work: Work) -> Iterator[None]:
        """A stream on each call, connected and sending; stream n of the receiver is call n."""
        self.start(calls, work)
        with _ending(lambda: self.stop(calls, work)):
            self.wait_until_flowing(range(len(calls)))
            yield

    def start(self, calls: Sequence[str], work: Work, first: int = 0) -> None:
        """Start them, without waiting; stream n of the receiver is call n − `first`."""
        for number, call in enumerate(calls, first):
            self.receiver.forget(number)
            if work.attached:
                self._attach(number, call, work)
                continue
            url = self.receiver.url(number, work.tls)
            reply = self.switch.command(self.module.start_command(call, url, work, self.receiver.certificate))
            if not reply.startswith("+OK"):
                raise BenchError(f"{self.name} does not start a stream: {reply}")

    def _attach(self, number: int, call: str, work: Work) -> None:
        assert self._media_server is not None
        refusal = self.receiver.attach(number, self._media_server.port, self._media_server.resource(call, work.format))
        if refusal:
            raise BenchError(f"{self.name} does not let a client attach: {refusal}")

    def wait_until_flowing(self, numbers: Sequence[int]) -> None:
        """Wait until each has sent for a while."""
        frames = int(SETTLE_SECONDS * FRAMES_PER_SECOND)
        if not self.wait(lambda: self.receiver.flowing(numbers, frames) == len(numbers), _CONNECT_SECONDS):
            raise BenchError(f"{self.name}: only {self.receiver.flowing(numbers, frames)} of {len(numbers)} streams "
                             "send audio")

    def reply(self, work: Work) -> None:
        """Have the receiver answer every frame if the work is two-way, else none."""
        if work.two_way:
            self.receiver.reply_to_each(work.reply())
        else:
            self.receiver.reply_never()

    def stop(self, calls: Sequence[str], work: Work) -> None:
        """Stop them and wait until they have disconnected."""
        for call in calls:
            self.switch.command(self.module.stop_command(call, work))
        self.wait_for_ends()

    def wait_for_ends(self) -> None:
        """Wait until nothing is connected to the receiver."""
        if not self.wait(lambda: self.receiver.open_connections() == 0, _END_SECONDS):
            raise BenchError(f"{self.name}: {self.receiver.open_connections()} streams do not disconnect after stop")

    def observe(self, seconds: float, streams: int) -> Interval:
        """Let time pass, and see what it costs and what comes."""
        self.check()
        pids = self.switch.pid, self.receiver.pid
        before = [cpu_time(pid) for pid in pids]
        self.receiver.record()
        self.let_pass(seconds)
        heard = self.receiver.heard()
        mine, other = (cpu_time(pid) - earlier for pid, earlier in zip(pids, before))
        return Interval(mine, other, heard, round(streams * heard.seconds * FRAMES_PER_SECOND))


@contextmanager
def _ending(end: Callable[[], None]) -> Iterator[None]:
    """Call `end` afterwards; after a failure its own failure says nothing new."""
    try:
        yield
    except BaseException:
        try:
            end()
        except (AudioStreamError, OSError):
            pass
        raise
    end()


def progress(text: str) -> None:
    """Say what was just measured."""
    print(text, flush=True)
