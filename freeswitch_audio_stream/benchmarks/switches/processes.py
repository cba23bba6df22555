"""What the kernel says about a process: CPU time, resident memory, threads."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_CPU_CLOCK_OF_PROCESS = 2  # CPUCLOCK_SCHED: all threads of the process, also those that have ended


class CpuTime(NamedTuple):
    """Seconds of CPU that a process has used since it began."""

    total: float
    """Exact to the nanosecond."""
    user: float
    """Exact to the tick, 10 ms as a rule; the rest of `total` is the kernel's."""

    def __sub__(self, earlier: "CpuTime") -> "CpuTime":
        return CpuTime(self.total - earlier.total, self.user - earlier.user)


def mean(one: CpuTime, other: CpuTime) -> CpuTime:
    """Half way between two."""
    return CpuTime((one.total + other.total) / 2, (one.user + other.user) / 2)


class Memory(NamedTuple):
    """A process's memory and threads."""

    resident: int
    """Bytes."""
    threads: int


def cpu_time(pid: int) -> CpuTime:
    """The CPU time of any process, its running and its ended threads together."""
    # The clock of another process is a clock id like any other (clock_getcpuclockid(3)).
    total = time.clock_gettime((~pid << 3) | _CPU_CLOCK_OF_PROCESS)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]) / _TICKS, int(fields[12]) / _TICKS
    return CpuTime(total, total * user / (user + system) if user + system else 0.0)


def memory(pid: int) -> Memory:
    """Resident memory and threads of any process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return Memory(1024 * int(status["VmRSS"].split()[0]), int(status["Threads"]))
