"""What there is to set of the module: the same for all its streams."""

from __future__ import annotations

from dataclasses import dataclass

from .table import Table, setting
from .variables import VARIABLE_PREFIX


@dataclass(frozen=True)
class ModuleSettings:
    """The settings of the module, each valid; see `MODULE` for meaning, unit and range."""

    service_threads: int = setting(
        2, "Threads that send and receive for all streams together.", minimum=1, maximum=5)
    io_nap_us: int = setting(
        1000, "How long those threads may sleep to serve several streams at once while many are up; less is sooner and "
        "costs more CPU, 0: each stream wakes them.", unit="us", minimum=0, maximum=1000)
    max_streams: int = setting(
        1000, "Streams at once; a start beyond that is refused.", minimum=1, maximum=4000)


MODULE = Table(ModuleSettings, VARIABLE_PREFIX)
"""The settings of the module; in the order of the documentation."""
