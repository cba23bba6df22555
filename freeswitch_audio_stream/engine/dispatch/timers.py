"""The timers of one stream or connection, by name."""

from __future__ import annotations

from .dispatcher import Dispatcher
from .schedule import Job, Timer


class Timers:
    """Setting a name again cancels what it had; only on the dispatcher's thread."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._timers: dict[str, Timer] = {}

    def after(self, name: str, seconds: float, job: Job) -> None:
        """Run `job` once, in `seconds`."""
        self.cancel(name)
        self._timers[name] = self._dispatcher.call_later(seconds, job)

    def every(self, name: str, seconds: float, job: Job) -> None:
        """Run `job` every so many seconds; 0 = never."""
        if seconds <= 0:
            return

        def again() -> None:
            self.after(name, seconds, again)
            job()
        self.after(name, seconds, again)

    def cancel(self, name: str) -> None:
        """Do not run it."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        """Do not run any."""
        for name in list(self._timers):
            self.cancel(name)
