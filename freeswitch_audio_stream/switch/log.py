"""Lines in the switch's log."""

from __future__ import annotations

from .constants import LOG_CHANNEL, LogLevel
from .library import Library, where
from .text import encode


def write(library: Library, level: LogLevel, text: str, uuid: str | None = None) -> None:
    """Write `text` to the log, as a line of the call `uuid` where given.

    Any thread. It may wait while the log queue is full, so never call it from a media callback.
    """
    owner = None if uuid is None else encode(uuid)
    line = encode(text).rstrip(b"\n") + b"\n"
    library.switch_log_printf(LOG_CHANNEL, *where("log"), owner, int(level), b"%s", line)
