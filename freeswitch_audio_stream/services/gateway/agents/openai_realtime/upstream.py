"""Sessions one after the other: the first, one that takes over before the service ends it, one after a lost connection.

The caller's audio goes to the session that is in use; the history goes with it from one to the next.
"""

from __future__ import annotations

import asyncio
import random
from typing import Callable

from .....errors import AgentError, ConnectError, MessageError, ServiceRefused
from .....protocols.openai_realtime import Event, History, Ready, RealtimeSession, Refused, Send, Trouble
from .connection import Connection
from .conversion import FromService, ToService
from .options import LONGEST_SESSION_SECS, ProfileOptions
from .recent_audio import RecentAudio

READY_SECONDS = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
MOST_ATTEMPTS = 6
"""To get a session in a row; one that has answered begins the count anew."""
QUIET_LOOKS = 0.05
"""Seconds between two looks whether a session can be taken over."""


class Link:
    """A session and its connection."""

    def __init__(self, session: RealtimeSession, connection: Connection) -> None:
        self.session = session
        self.to_service = ToService(session.options.encoding, session.options.rate)
        self.from_service = FromService(session.options.encoding, session.options.rate)
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connection = connection
        self.reading: asyncio.Task[None] | None = None

    def read(self, carry_out: Callable[[Link, Event], None]) -> None:
        """Begin to carry out what the session says."""
        async def take(message: str | bytes) -> None:
            try:
                events = self.session.receive(message)
            except MessageError as error:
                events = [Trouble(str(error))]
            for event in events:
                carry_out(self, event)
        self.reading = asyncio.get_running_loop().create_task(self._connection.read(take))

    def send(self, message: bytes) -> None:
        self._connection.send(message)

    def hear(self, audio: bytes) -> None:
        """Send what the caller says."""
        if converted := self.to_service.convert(audio):
            self._connection.send(self.session.audio(converted))

    async def close_connection(self) -> None:
        """Have the reading end, as if the service had closed it."""
        await self._connection.close()

    async def close(self) -> None:
        """Return when nothing of it is left. Idempotent."""
        if self.reading is not None:
            self.reading.cancel()
            await asyncio.gather(self.reading, return_exceptions=True)
        if self.ready.done() and not self.ready.cancelled():
            self.ready.exception()
        await self._connection.close()


class Upstream:
    """What is behind one agent. On the event loop."""

    def __init__(self, options: ProfileOptions, history: History, carry_out: Callable[[Link, Event], None],
                 note: Callable[[str], None]) -> None:
        """`carry_out` does what a session in use says; `note` writes to the log."""
        self._options = options
        self._history = history
        self._carry_out = carry_out
        self._note = note
        self._recent = RecentAudio()
        self._links: set[Link] = set()
        self._failures = 0
        self.current: Link | None = None
        """The session in use; None while there is none."""
        self.owes_answer = False
        """Whether the model has to speak as soon as there is a session again."""

    def hear(self, audio: bytes) -> None:
        """Take what the caller says, at any time."""
        link = self.current
        self._recent.add(audio, link is None or link.session.needs_audio)
        if link is not None:
            link.hear(audio)

    def succeed(self) -> None:
        """The service has answered."""
        self._failures = 0

    async def run(self) -> None:
        """Have a session in use until this is cancelled; raise AgentError where none can be had."""
        try:
            while True:
                link = await self._open_patiently()
                self._take_over(link, self.owes_answer)
                await self._use(link)
        finally:
            for link in list(self._links):
                await link.close()

    async def _use(self, link: Link) -> None:
        """Return when the connection is lost; a successor takes over before that, if one can be had."""
        while True:
            successor = await self._renewed(link)
            if successor is None:
                await self._lose(link)
                return
            answer = link.session.owes_answer and not link.session.needs_audio
            self._leave(link)
            self._take_over(successor, answer)
            await self._close(link)
            link = successor

    async def _renewed(self, link: Link) -> Link | None:
        """Return a session that takes over from `link`, None where that is lost before."""
        assert link.reading is not None
        opening = asyncio.get_running_loop().create_task(self._successor(link))
        try:
            await asyncio.wait({link.reading, opening}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                return opening.result()
        except AgentError as error:
            self._note(f"the session with the service cannot be renewed, and is used to its end: {error}")
            await asyncio.wait({link.reading})
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        return None

    async def _lose(self, link: Link) -> None:
        """Raise ServiceRefused where it is lost for good."""
        self.owes_answer = link.session.owes_answer and not link.session.needs_audio
        self._leave(link)
        assert link.reading is not None
        fault = link.reading.exception()
        await self._close(link)
        if fault is not None:
            raise fault
        self._note("the connection to the service was lost, and is made again")

    def _leave(self, link: Link) -> None:
        for event in link.session.lost():
            self._carry_out(link, event)
        self.current = None

    def _take_over(self, link: Link, answer: bool) -> None:
        self.owes_answer = False
        for send in link.session.take_over(answer):
            link.send(send.message)
        self.current = link
        link.hear(bytes(self._recent.audio))

    async def _successor(self, link: Link) -> Link:
        """Return a session that is ready, when it is time for it and `link` is quiet."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await asyncio.sleep(self._options.renew_after_secs)
        successor = await self._open_patiently()
        # A call in which somebody always speaks is cut in time, and its last words are heard again.
        latest = begin + max(self._options.renew_after_secs + 1, LONGEST_SESSION_SECS - 60)
        try:
            while not link.session.is_quiet and loop.time() < latest:
                await asyncio.sleep(QUIET_LOOKS)
        except BaseException:
            await self._close(successor)
            raise
        return successor

    async def _open_patiently(self) -> Link:
        while True:
            try:
                return await self._open()
            except ConnectError as error:
                self._failures += 1
                if self._failures >= MOST_ATTEMPTS:
                    raise AgentError(f"there is no session with the service after {self._failures} attempts: {error}"
                                     ) from error
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1)) * random.uniform(0.5, 1)
                self._note(f"there is no session with the service: {error}; the next attempt is in {pause:.1f} s")
            await asyncio.sleep(pause)

    async def _open(self) -> Link:
        """Return a session that is ready; raise ConnectError where another attempt may help, else AgentError."""
        connection = await Connection.open(self._options.url, self._options.key())
        link = Link(RealtimeSession(self._options.session, self._history), connection)
        self._links.add(link)
        try:
            link.read(self._carry_out_all)
            for send in link.session.opening():
                link.send(send.message)
            assert link.reading is not None
            await asyncio.wait({link.ready, link.reading}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if link.ready.done():
                await link.ready
                return link
            if link.reading.done():
                await link.reading
                raise ConnectError("the service has closed the connection at once")
            raise ConnectError(f"the service has accepted no session within {READY_SECONDS:.0f} s")
        except BaseException:
            await self._close(link)
            raise

    async def _close(self, link: Link) -> None:
        await link.close()
        self._links.discard(link)

    def _carry_out_all(self, link: Link, event: Event) -> None:
        """Before a session is in use, it only says whether it is ready."""
        if isinstance(event, Ready):
            link.ready.set_result(None)
        elif isinstance(event, Refused) and not link.ready.done():
            link.ready.set_exception(ServiceRefused(event.reason))
        elif isinstance(event, Send):
            link.send(event.message)
        elif link is self.current or isinstance(event, (Refused, Trouble)):
            self._carry_out(link, event)
