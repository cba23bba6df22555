"""The script of mod_python3 by which `inside` is reached: ``python inside_script <order>``.

mod_python3 reloads a script for every use, on a thread with a small stack and with a recursion limit too low for
imports and compilation, so the work is done elsewhere. This file is copied, not imported by the package.
"""

from __future__ import annotations

import sys
from typing import Any

SITE_PACKAGES = ""  # where the package and what it needs are, if Python does not find them by itself

if SITE_PACKAGES and SITE_PACKAGES not in sys.path:
    sys.path.insert(0, SITE_PACKAGES)

_STACK_BYTES = 16 << 20
_RECURSION_LIMIT = 5000


def fsapi(session: Any, stream: Any, environment: Any, arguments: str) -> None:
    """What the API command `python` calls."""
    from freeswitch_audio_stream.threads import start_thread
    answer: list[str] = []
    start_thread("bench", _execute, arguments, answer, stack_bytes=_STACK_BYTES).join()
    stream.write("".join(answer))


def _execute(order: str, answer: list[str]) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
    try:
        from freeswitch_audio_stream.benchmarks.switches import inside
        answer.append(inside.execute(order))
    finally:
        sys.setrecursionlimit(limit)
