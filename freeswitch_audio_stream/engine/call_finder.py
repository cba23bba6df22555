"""The switch's calls, by UUID."""

from __future__ import annotations

from typing import Callable

from ..errors import CallNotFound
from .call import Call

Locate = Callable[[str], "Call | None"]
"""Answers a call that is held until its `release`; None where there is none that has not hung up."""


class CallFinder:
    """Any Python thread; nothing waits."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate

    def find(self, uuid: str) -> Call:
        """Return a call, held until its `release`; raise CallNotFound."""
        call = self._locate(uuid)
        if call is None:
            raise CallNotFound(f"no such call: {uuid!r} is not the UUID of a call that is up (see 'show channels')")
        return call

    def check(self, uuid: str) -> None:
        """Raise CallNotFound if there is no such call that has not hung up."""
        call = self.find(uuid)
        call.release()
        call.forget()

    def has(self, uuid: str) -> bool:
        """Return whether there is such a call that has not hung up."""
        try:
            self.check(uuid)
        except CallNotFound:
            return False
        return True
