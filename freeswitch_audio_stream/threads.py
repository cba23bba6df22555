"""Starting threads with a stack of known size.

FreeSWITCH as a packaged service runs with a stack limit of about 250 kB, which Python gives to every thread it
starts, and which TLS, JSON of hostile depth or a first import outgrow. Only what a thread touches becomes resident.
"""

from __future__ import annotations

import threading
from typing import Any, Callable

STACK_BYTES = 1 << 20
_lock = threading.Lock()


def start_thread(name: str, target: Callable[..., None], *arguments: Any, stack_bytes: int = STACK_BYTES
                 ) -> threading.Thread:
    """Run ``target(*arguments)`` on a daemon thread: FreeSWITCH never finalises Python, and must not wait for us.

    The stack size is a setting of the whole interpreter; it is put back at once.
    """
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    with _lock:
        before = threading.stack_size(stack_bytes)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    return thread
