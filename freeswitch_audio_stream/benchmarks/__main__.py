"""``./scripts/bench``: how it begins, and how it ends when it is interrupted."""

from __future__ import annotations

import signal
import sys
from typing import Sequence


def _interrupt(number: int, frame: object) -> None:
    """Once; to end what was started takes a moment, and must not be interrupted itself."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _do_nothing)  # Python complains of SIG_IGN if the signal has just come
    raise KeyboardInterrupt(number)


def _do_nothing(number: int, frame: object) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        # Here, because it takes seconds: what is imported is compiled.
        from .program import run
        return run(arguments)
    except KeyboardInterrupt as interrupt:
        print("The benchmark was interrupted; what it had started has ended.", file=sys.stderr)
        return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
