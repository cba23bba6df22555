"""Streams that come by the HTTP streaming API, on h11: a server that takes no request that is not well-formed.

A line's API begins at ``/NUMBER/GENERATION``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections import deque
from typing import Any, Mapping
from urllib.parse import parse_qs, urlsplit

import h11
import numpy as np
import orjson

from ...audio import Samples
from .conversation import StreamEnd
from .listener import StreamListener

_READ_BYTES = 65536


class _Session:
    """What has been said and has not arrived, by its number, and what has been heard."""

    def __init__(self, end: StreamEnd, generation: int) -> None:
        self._end = end
        self._generation = generation
        self._wire = end.kind.open()
        self._pieces: deque[tuple[int, Samples]] = deque()
        self._position = self._sequence = 0
        self._changed = asyncio.Event()
        self._speaking = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        async for samples in self._end.speak():
            self._position += 1
            self._pieces.append((self._position, samples))
            self._changed.set()

    def hear(self, body: dict[str, Any]) -> None:
        """Take a post; a numbered one that comes again is not heard again."""
        number = body.get("sequence", self._sequence + 1)  # none before the client knows that we know numbers
        if number > self._sequence:
            self._sequence = body.get("sequence", self._sequence)
            samples = self._wire.read(base64.b64decode(body["audio"]))
            assert samples is not None
            self._end.hear(samples, self._generation)

    async def answer(self, received: int, timeout: float) -> dict[str, Any]:
        """Return the answer to a poll, after up to `timeout` seconds; up to `received` all has arrived."""
        while self._pieces and self._pieces[0][0] <= received:
            self._pieces.popleft()
        if not self._pieces:
            self._changed.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout)
        said = [samples for _, samples in self._pieces]
        message = self._wire.write(np.concatenate(said))[0] if said else b""
        assert isinstance(message, bytes)
        return {"audio": base64.b64encode(message).decode(), "transcript": "", "hasMore": False,
                "position": self._pieces[-1][0] if said else received}

    def end(self) -> None:
        """Say no more."""
        self._speaking.cancel()


class HttpListener(StreamListener):
    """With TLS or without. Sessions end with `go_away`, as those in a process's memory do."""

    def __init__(self, ends: Mapping[tuple[int, str], StreamEnd], context: ssl.SSLContext | None = None) -> None:
        super().__init__(context)
        self._ends = ends
        self._sessions: dict[int, tuple[int, _Session]] = {}

    async def go_away(self) -> None:
        await super().go_away()
        for _, session in self._sessions.values():
            session.end()
        self._sessions.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        while (request := await _next(connection, reader)) is not None:
            with self._end_of(request[0].target).holding(writer.transport):
                status, answer = await self._answer(*request)
                _write(connection, writer, status, answer)
                await writer.drain()
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()

    def _end_of(self, target: bytes) -> StreamEnd:
        return self._ends[int(target.split(b"/")[1]), "stream"]

    async def _answer(self, request: h11.Request, body: bytes) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(request.target.decode())
        _, number, generation, *path = parts.path.split("/")
        end = self._ends[int(number), "stream"]
        if path[-1] == "create":
            return 200, self._create(int(number), int(generation), end)
        made, session = self._sessions.get(int(number), (-1, None))
        if session is None or made != int(generation):
            return 404, {"status": "session_not_found", "detail": "there is no such session"}
        if path[-1] == "end":
            session.end()
            del self._sessions[int(number)]
            return 200, {"status": "ended", "summary": {}}
        if path[-1] == "response":
            query = parse_qs(parts.query)
            return 200, await session.answer(int(query["received"][0]), int(query["timeout"][0]) / 1000)
        await end.reading.wait()
        session.hear(orjson.loads(body))
        return 200, {"status": "streamed"}

    def _create(self, number: int, generation: int, end: StreamEnd) -> dict[str, Any]:
        known = self._sessions.get(number)
        if known is not None and known[0] == generation:
            return {"sessionId": str(number), "status": "existing"}
        if known is not None:
            known[1].end()
        self._sessions[number] = generation, _Session(end, generation)
        return {"sessionId": str(number), "status": "created"}


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request, bytes] | None:
    """Return the next request and its body; None at the end of the connection. Raise h11.RemoteProtocolError."""
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            received = await reader.read(_READ_BYTES)
            if not received:
                return None
            connection.receive_data(received)
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            return request, body
        else:
            return None


def _write(connection: h11.Connection, writer: asyncio.StreamWriter, status: int, answer: dict[str, Any]) -> None:
    body = orjson.dumps(answer)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    events = h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()
    writer.write(b"".join(connection.send(event) or b"" for event in events))
