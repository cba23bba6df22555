"""The WebSocket endpoints: chunks in, acknowledgements out, each in the order of the chunks."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..formats.wav_input import FormatError
from ..sessions.session import Input, Session, SessionClosed, Taken
from ..sessions.sessions import Sessions, TooManySessions
from ..storage.catalogue import SessionRow
from ..storage.interface import Interrupted, Progress, StoreError
from .answers import Invalid, check_channels, check_format, check_rate, check_user, message, session_info

NORMAL, POLICY, INTERNAL, RESTART = 1000, 1008, 1011, 1012
_IN_FLIGHT = 64
"""Chunks that are not acknowledged yet; more are not read."""
_LAST_WORD_SECONDS = 5.0
_MB = 1 << 20


async def serve_new(socket: WebSocket, sessions: Sessions) -> None:
    """A connection that begins a session."""
    query = socket.query_params
    try:
        rate = check_rate(query.get("sample_rate"), sessions.audio.default_sample_rate)
        channels = check_channels(query.get("channels"), sessions.audio.default_channels)
        format = check_format(query.get("format"), sessions.audio.default_format)
        user = check_user(query.get("user_id"))
    except Invalid as error:
        return await refuse(socket, POLICY, error.body)
    try:
        session = await sessions.begin(user, rate, channels, format)
    except (TooManySessions, StoreError) as error:
        return await refuse(socket, INTERNAL, {"error": "Session creation failed", "reason": str(error)})
    await Connection(socket, sessions, session).serve("Session created")


async def serve_existing(socket: WebSocket, sessions: Sessions, id: str) -> None:
    """A connection to a session that there is."""
    try:
        session = await sessions.take(id.lower())
    except StoreError as error:
        return await refuse(socket, RESTART, {"error": "Session cannot go on now", "session_id": id,
                                              "reason": str(error)})
    user = socket.query_params.get("user_id")
    if session is None or session.is_closing or (user and session.row.user and user != session.row.user):
        row = None if session else await sessions.catalogue.get(id.lower())
        if row is not None and not (user and row.user and user != row.user):
            return await refuse(socket, POLICY, {**session_info(row, ""), "error": "Session is closed"})
        return await refuse(socket, POLICY, {"error": "Session not found", "session_id": id})
    if socket.query_params.get("takeover") in ("1", "true"):
        try:
            await session.take_over()
        except StoreError as error:
            return await refuse(socket, INTERNAL, {"error": "Session cannot be continued", "reason": str(error)})
    if len(session.inputs) >= sessions.audio.max_connections_per_session:
        return await refuse(socket, POLICY, {"error": "Too many connections to this session", "session_id": id,
                                             "limit": sessions.audio.max_connections_per_session})
    await Connection(socket, sessions, session).serve("Connected to session")


async def refuse(socket: WebSocket, code: int, body: dict[str, Any]) -> None:
    """Say why, and close: a client in a browser sees no more of a refused handshake than that it was."""
    try:
        await socket.accept()
        await socket.send_text(orjson.dumps(body).decode())
        await socket.close(code, str(body["error"])[:120])
    except (WebSocketDisconnect, RuntimeError):
        pass  # it has gone


class _Closed(Exception):
    """This connection is over: with this code, after this message."""

    def __init__(self, code: int, body: dict[str, Any] | None) -> None:
        self.code = code
        self.body = body


class Connection:
    """One connection to a session. One task reads, another answers; three more see when it is to end."""

    def __init__(self, socket: WebSocket, sessions: Sessions, session: Session) -> None:
        self._socket = socket
        self._sessions = sessions
        self._session = session
        self._answers: asyncio.Queue[tuple[Taken, int] | dict[str, Any]] = asyncio.Queue(_IN_FLIGHT)
        self._silent_since: float | None = None
        """Since when nothing has come (time.monotonic); None: something is being taken in."""

    async def serve(self, greeting: str) -> None:
        """Serve it to its end."""
        session = self._session
        joined = session.join()
        tasks: list[asyncio.Task[Any]] = []
        try:
            await self._socket.accept()
            row = session.current()
            await self._send(message(greeting, row.id, row.chunks, "active", acked_bytes=row.received,
                                     sample_rate=row.rate, channels=row.channels))
            tasks = [asyncio.ensure_future(self._read(joined)), asyncio.ensure_future(self._answer()),
                     asyncio.ensure_future(self._watch()), asyncio.ensure_future(self._watch_silence()),
                     asyncio.ensure_future(self._give_way(joined))]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except (WebSocketDisconnect, RuntimeError):
            pass  # it has gone
        except Interrupted:
            await self._close(_Closed(RESTART, None))  # it goes on when the client comes again
        except _Closed as closed:
            await self._close(closed)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._leave(joined)

    async def _leave(self, joined: Input) -> None:
        try:
            await self._session.leave(joined)
        except Interrupted:
            pass
        except StoreError as error:
            await self._sessions.close(self._session, str(error))

    async def _close(self, closed: _Closed) -> None:
        try:
            await asyncio.wait_for(self._say_last(closed), _LAST_WORD_SECONDS)
        except (WebSocketDisconnect, RuntimeError, asyncio.TimeoutError):
            pass

    async def _say_last(self, closed: _Closed) -> None:
        if closed.body is not None:
            await self._send(closed.body)
        await self._socket.close(closed.code)

    async def _send(self, body: dict[str, Any]) -> None:
        await self._socket.send_text(orjson.dumps(body).decode())

    async def _read(self, joined: Input) -> None:
        while True:
            self._silent_since = time.monotonic()
            received = await self._socket.receive()
            self._silent_since = None
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(received.get("code", 1005))
            data = received.get("bytes")
            if data is not None:
                await self._answers.put(self._take(joined, data))
            elif await self._control(received.get("text") or ""):
                await self._answers.join()
                row = await self._sessions.close(self._session)
                raise _Closed(NORMAL, self._final(row))

    async def _watch_silence(self) -> None:
        """One look whenever it may have lasted too long: a timer for each chunk would cost more than its audio."""
        patience = self._sessions.audio.connection_timeout_seconds
        silent = 0.0
        while silent < patience:
            await asyncio.sleep(patience - silent)
            silent = time.monotonic() - self._silent_since if self._silent_since is not None else 0.0
        raise _Closed(POLICY, self._error(f"nothing has come for {patience} s", "Connection timed out"))

    def _take(self, joined: Input, chunk: bytes) -> tuple[Taken, int] | dict[str, Any]:
        audio = self._sessions.audio
        if len(chunk) > audio.max_chunk_size_mb * _MB:
            return self._error(f"the chunk has more than {audio.max_chunk_size_mb} MB: send smaller ones")
        if not chunk:
            return self._error("the chunk is empty")
        try:
            return self._session.add(joined, chunk), len(chunk)
        except FormatError as error:
            return self._error(str(error))
        except (SessionClosed, StoreError) as error:  # told when those before it have been answered
            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return Taken(failed, Progress(), 0.0), len(chunk)

    async def _answer(self) -> None:
        while True:
            answer = await self._answers.get()
            try:
                await self._send(answer if isinstance(answer, dict) else await self._acknowledgement(*answer))
            finally:
                self._answers.task_done()

    async def _acknowledgement(self, taken: Taken, size: int) -> dict[str, Any]:
        try:
            await taken.done
        except SessionClosed:
            row = await asyncio.shield(self._session.closed)
            raise _Closed(NORMAL, self._final(row))
        except FormatError as error:
            raise _Closed(POLICY, self._error(str(error)))
        except Interrupted:
            raise
        except StoreError as error:
            await self._sessions.close(self._session, str(error))
            raise _Closed(INTERNAL, self._error(str(error)))
        self._session.acknowledged(taken)
        progress, counters = taken.progress, self._sessions.counters
        counters.chunks += 1
        counters.received += size
        if self._sessions.has_lasted_too_long(self._session):
            await self._sessions.close(self._session)
        more = {"degraded": self._session.degraded} if self._session.degraded else {}
        return message("Chunk processed successfully", self._session.row.id, progress.chunks, "active",
                       chunk_id=progress.chunks, acked_bytes=progress.received, **more)

    async def _watch(self) -> None:
        """The session may be closed by others: over HTTP, by another connection, by a limit."""
        row = await asyncio.shield(self._session.closed)
        await self._answers.join()
        raise _Closed(NORMAL if not row.error else INTERNAL, self._final(row))

    async def _give_way(self, joined: Input) -> None:
        """Its client goes on with another connection."""
        await joined.is_taken_over.wait()
        raise _Closed(POLICY, self._error("another connection continues the session", "Connection taken over"))

    async def _control(self, text: str) -> bool:
        """Return whether the session is to be closed; anything else is answered."""
        try:
            said = orjson.loads(text)
        except ValueError:
            said = None
        if isinstance(said, dict) and said.get("type") == "control" and said.get("action") == "close_session":
            return True
        await self._answers.put(self._error('the only control message is {"type": "control", "action": '
                                            '"close_session"}; audio is sent as binary messages',
                                            "Unknown control message"))
        return False

    def _error(self, reason: str, text: str = "Failed to process chunk") -> dict[str, Any]:
        row = self._session.current()
        return message(text, row.id, row.chunks, "error", acked_bytes=row.received, error=reason)

    def _final(self, row: SessionRow) -> dict[str, Any]:
        more = session_info(row, "")
        text = "Session closed" if not row.error else "Failed to process chunk"
        return {**more, **message(text, row.id, row.chunks, row.status.value)}
