"""The process that is the load: ``live`` clients in real time, or ``hasty`` ones with a window of chunks each.

An order is a line of JSON: {"kind", "host", "port", "query", "clients", "chunk", "period", "file", "warm", "seconds"}.
`chunk` is in bytes, `period` the seconds from one to the next; with a `file` its bytes are sent, which last as long as
the run. It says ``begun`` when the measurement begins, ``done`` when it ends, and then what was measured, in JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import orjson

from .client import Client, frame

WINDOW = 8
"""Chunks that a hasty client has under way."""
_OPEN_AT_ONCE = 50
_FINISH_SECONDS = 5.0


class Sender:
    """One client, and when its chunks that are not answered yet were due."""

    def __init__(self, client: Client, frames: Sequence[bytes]) -> None:
        self.client = client
        self._frames = frames
        self._next = 0
        self._due: deque[float] = deque()
        self.answers: list[float] = []
        self.late = 0.0
        self.sent = 0
        self.is_sending = True
        client.on_answers = self._take

    def _take(self, count: int) -> None:
        now = time.monotonic()
        for _ in range(min(count, len(self._due))):
            self.answers.append(now - self._due.popleft())

    def send(self, due: float) -> None:
        self.late = max(self.late, time.monotonic() - due)
        self._due.append(due)
        self.client.send(self._frames[self._next % len(self._frames)])
        self._next += 1
        self.sent += 1

    def live(self, due: float, period: float) -> None:
        """Send a chunk whenever one is due, from now on."""
        if self.client.error or not self.is_sending:
            return
        self.send(due)
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() + due + period - time.monotonic(), self.live, due + period, period)

    def hasty(self) -> None:
        """Send a chunk whenever one has been answered, from now on."""
        def take(count: int) -> None:
            self._take(count)
            for _ in range(count if self.is_sending else 0):
                self.send(time.monotonic())
        self.client.on_answers = take
        for _ in range(WINDOW):
            self.send(time.monotonic())

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is to come yet."""
        return bool(self._due) and not self.client.error

    def forget(self) -> None:
        """Of what was measured, all so far."""
        self.answers, self.late, self.sent = [], 0.0, 0


def _frames(order: dict[str, Any]) -> list[bytes]:
    if order["file"]:
        data = Path(order["file"]).read_bytes()
        return [frame(data[at:at + order["chunk"]]) for at in range(0, len(data), order["chunk"])]
    noise = np.random.default_rng(1).integers(-8000, 8000, order["chunk"] // 2 * 4, np.int16).tobytes()
    return [frame(noise[at:at + order["chunk"]]) for at in range(0, len(noise), order["chunk"])]


async def _open(order: dict[str, Any]) -> list[Client]:
    loop, clients = asyncio.get_running_loop(), []
    for begin in range(0, order["clients"], _OPEN_AT_ONCE):
        made = [await loop.create_connection(lambda: Client(order["host"], f"/api/ws/audio?{order['query']}"),
                                             order["host"], order["port"])
                for _ in range(begin, min(begin + _OPEN_AT_ONCE, order["clients"]))]
        for _, client in made:
            await asyncio.wait_for(client.opened, 60.0)
            clients.append(client)
    return clients


def _quantiles(seconds: list[float]) -> list[float]:
    """p50, p99 and the longest, in ms."""
    if not seconds:
        return [float("nan")] * 3
    return [float(value) * 1000 for value in (*np.percentile(seconds, (50, 99)), max(seconds))]


async def _measure(order: dict[str, Any]) -> dict[str, Any]:
    frames = _frames(order)
    clients = await _open(order)
    senders = [Sender(client, frames) for client in clients]
    try:
        now = time.monotonic() + 0.1
        for index, sender in enumerate(senders):
            if order["kind"] == "live":
                due = now + order["period"] * index / len(senders)
                asyncio.get_running_loop().call_later(due - time.monotonic(), sender.live, due, order["period"])
            else:
                sender.hasty()
        await asyncio.sleep(order["warm"])
        for sender in senders:
            sender.forget()
        _say("begun")
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(order["seconds"])
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        _say("done")
        answers = [one for sender in senders for one in sender.answers]
        return {"seconds": seconds, "load_cpu": cpu / seconds, "answers": len(answers),
                "bytes": len(answers) * order["chunk"] / seconds, "answer_ms": _quantiles(answers),
                "late_ms": 1000 * max(sender.late for sender in senders), "sent": sum(one.sent for one in senders),
                "failed": sorted({client.error for client in clients if client.error})}
    finally:
        await _finish(senders)
        for client in clients:
            client.close()


async def _finish(senders: Sequence[Sender]) -> None:
    """Send no more, and wait for the answers to what was sent, though not for ever."""
    for sender in senders:
        sender.is_sending = False
    deadline = time.monotonic() + _FINISH_SECONDS
    while any(sender.is_waiting for sender in senders) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """Carry out orders until standard input ends."""
    for line in sys.stdin:
        try:
            _say(orjson.dumps(asyncio.run(_measure(orjson.loads(line)))).decode())
        except (OSError, asyncio.TimeoutError) as error:
            _say(orjson.dumps({"error": str(error) or repr(error)}).decode())


if __name__ == "__main__":
    main()
