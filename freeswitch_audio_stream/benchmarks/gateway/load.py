"""The process that is the load: ``live`` callers in real time, or ``hasty`` ones as fast as they are answered.

An order is a line of JSON: {"kind", "host", "port", "callers", "chunk_ms", "warm", "seconds", "key", "name"}. It says
``begun`` when the measurement begins, ``done`` when it ends, and then what was measured, in JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Sequence

import numpy as np
import orjson

from .callers import Caller, Figures, HastyCaller, LiveCaller, ask
from .connection import connect
from .requests import Chunks, request

_AT_ONCE = 50
"""Callers that begin at once."""


def _quantiles(seconds: list[float]) -> list[float]:
    """p50, p99 and the longest, in ms."""
    if not seconds:
        return [float("nan")] * 3
    return [float(value) * 1000 for value in (*np.percentile(seconds, (50, 99)), max(seconds))]


def _say(text: str) -> None:
    print(text, flush=True)


async def _measure(order: dict[str, Any]) -> dict[str, Any]:
    figures = Figures()
    kind, chunks = (LiveCaller if order["kind"] == "live" else HastyCaller), Chunks(order["chunk_ms"])
    callers = [kind(f"{order['name']}-{number}", order["key"], chunks, figures) for number in range(order["callers"])]
    try:
        for first in range(0, len(callers), _AT_ONCE):  # the server does not wait long for what a connection asks first
            await asyncio.gather(*(caller.begin(order["host"], order["port"])
                                   for caller in callers[first:first + _AT_ONCE]))
        _start(callers, order["chunk_ms"] / 1000)
        await asyncio.sleep(order["warm"])
        measured = _reset(callers, figures)
        _say("begun")
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(order["seconds"])
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        _say("done")
        result = {"seconds": seconds, "load_cpu": cpu / seconds, "requests": measured.requests / seconds,
                  "post_ms": _quantiles(measured.posts), "answer_ms": _quantiles(measured.answers),
                  "late_ms": _quantiles(measured.late), "sent": measured.sent, "heard": measured.heard,
                  "misplaced": measured.misplaced, "refused": measured.refused}
    finally:
        for caller in callers:
            caller.close()
    await _end(callers, order)
    return result


async def _end(callers: Sequence[Caller], order: dict[str, Any]) -> None:
    connection = await connect(order["host"], order["port"])
    for caller in callers:
        await ask(connection, request("POST", f"/api/voice/session/{caller.name}/end", key=order["key"]))
    connection.close()


def _start(callers: Sequence[Caller], period: float) -> None:
    """Evenly over the first period, as calls come."""
    now = asyncio.get_running_loop().time()
    for index, caller in enumerate(callers):
        if isinstance(caller, LiveCaller):
            due = now + 0.1 + period * index / len(callers)
            asyncio.get_running_loop().call_at(due, caller.speak, due, period)
            caller.poll()
        elif isinstance(caller, HastyCaller):
            caller.hurry()


def _reset(callers: Sequence[Caller], warm: Figures) -> Figures:
    """Forget what was counted so far, but for what went wrong."""
    figures = Figures(refused=warm.refused, misplaced=warm.misplaced)
    for caller in callers:
        caller.figures = figures
    return figures


def main() -> None:
    """Carry out orders until standard input ends."""
    for line in sys.stdin:
        try:
            _say(orjson.dumps(asyncio.run(_measure(orjson.loads(line)))).decode())
        except OSError as error:
            _say(orjson.dumps({"error": str(error)}).decode())


if __name__ == "__main__":
    main()
