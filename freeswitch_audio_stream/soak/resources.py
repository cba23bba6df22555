"""What a process holds, sampled: memory, descriptors, threads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """At one moment."""

    seconds: float
    """Since the soak began."""
    memory: int
    """Resident bytes."""
    descriptors: int
    threads: int
    lateness: tuple[float, float]
    """In milliseconds, the 99th percentiles since the last sample: of what servers heard, and of what callers did."""


def resources_of(pid: int) -> tuple[int, int, int]:
    """Return resident bytes, open descriptors and threads of a process of ours."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return (1024 * int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"]))
