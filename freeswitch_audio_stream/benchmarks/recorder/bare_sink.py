"""The least that any server can do that keeps what it acknowledges: each message is written to a file, which is synced
before a fixed answer to it. One thread writes and syncs for all connections, as many messages at a time as have come.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
from typing import Any, Awaitable, Callable

from ...services.recorder.http.protocol import make_protocol
from ...threads import start_thread
from ...web.connection_limits import choose_limits, open_files
from ...web.listen_address import ListenAddress
from ...web.server import WebServer

_MESSAGE_BYTES = 10_485_760
_ANSWER = '{"message":"ok"}'

Message = dict[str, Any]
_Waiting = tuple[bytes, asyncio.Future[None]]


class BareSink:
    """The ASGI application; `stop` ends its thread."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = start_thread("audio-stream-sink", self._write)

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]],
                       send: Callable[[Message], Awaitable[None]]) -> None:
        answers: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": _ANSWER})
        answering = asyncio.ensure_future(self._answer(answers, send))
        try:
            while (message := await receive())["type"] == "websocket.receive":
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._queue.put((message["bytes"], future))
                answers.put_nowait(future)
        finally:
            answering.cancel()

    @staticmethod
    async def _answer(answers: asyncio.Queue[asyncio.Future[None]], send: Callable[[Message], Awaitable[None]]) -> None:
        while True:
            await (await answers.get())
            await send({"type": "websocket.send", "text": _ANSWER})

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    return
                batch.append(following)
            for data, _ in batch:
                os.write(self._file, data)
            os.fdatasync(self._file)
            try:
                first[1].get_loop().call_soon_threadsafe(_settle, batch)
            except RuntimeError:
                return  # the loop has ended

    def stop(self) -> None:
        self._queue.put(None)
        self._thread.join()
        os.close(self._file)


def _settle(batch: list[_Waiting]) -> None:
    for _, future in batch:
        if not future.done():
            future.set_result(None)


def main() -> None:
    """Serve until standard input ends."""
    def say(text: object) -> None:
        print(text, file=sys.stderr, flush=True)
    files = open_files()
    sink = BareSink(sys.argv[1])
    server = WebServer(sink, listen=ListenAddress("127.0.0.1", 0), limits=choose_limits(files, files, files),
                       name="the bare sink", tell=say, on_fault=say, upgrade=make_protocol(_MESSAGE_BYTES))
    server.start()
    print(f"listening on {server.scheme}://{server.address}", flush=True)
    sys.stdin.read()
    server.stop(5.0)
    sink.stop()


if __name__ == "__main__":
    main()
