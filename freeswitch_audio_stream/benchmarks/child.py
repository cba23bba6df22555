"""A process that the benchmark starts from this package, and that is gone when the benchmark is."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import TypeVar

from .errors import BenchError

_END_SECONDS = 30.0
_TERMINATE_SECONDS = 5.0

T = TypeVar("T")


class Child:
    """``python -m module arguments``; a context manager. It is told to end by the end of its standard input.

    It has a session of its own: Ctrl-C is for the benchmark, which ends its children in order. What it says about
    itself goes to standard error.
    """

    def __init__(self, module: str, *arguments: object) -> None:
        self._name = module.rpartition(".")[2]
        self._process = subprocess.Popen([sys.executable, "-m", module, *map(str, arguments)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.pid = self._process.pid

    def check(self) -> None:
        """Raise BenchError if it has ended."""
        status = self._process.poll()
        if status is not None:
            raise BenchError(f"the process {self._name} has ended with status {status}; its error, if it has said one, "
                             "is above")

    def tell(self, line: str) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            self._wait()
            self.check()
            raise

    def answer(self) -> str:
        """Its next line, without the end; waits for it. Raise BenchError where it ends instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._wait()
            self.check()
            raise BenchError(f"the process {self._name} says nothing more")
        return line.rstrip("\n")

    def _wait(self) -> None:
        try:
            self._process.wait(_TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            pass

    def close(self) -> None:
        """Have it end; by force where it does not. Idempotent."""
        for stop, patience in ((self._close_input, _END_SECONDS), (self._process.terminate, _TERMINATE_SECONDS),
                               (self._process.kill, None)):
            stop()
            try:
                self._process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass  # it ended with something unread

    def __enter__(self: T) -> T:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
