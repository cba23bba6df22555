"""Runs the agent of a session: what has come in goes to it, and what it says goes out, one commit at a time."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable, Mapping, Sequence

from .agents.interface import Agent, AgentProfile, Conversation, Line, Output, Speaker
from .playback import PlaybackAccount
from .store.interface import Commit, Delivered, Heard, Input, Lease, SessionGone, SessionStore
from .store.pieces import Clear, Failure, Piece, Text

MakeAgent = Callable[[Conversation, AgentProfile, Output], Agent]
LONGEST_LINE = 65_536
"""Characters of one line of a transcript."""
_ESTIMATE_SECONDS = 0.5
"""How often an estimate of what was heard is made while nothing else happens."""


class _Output(Output):
    """Keeps what the agent says until it is committed."""

    def __init__(self, account: PlaybackAccount, wake: asyncio.Event, note: Callable[[str], None]) -> None:
        self._account = account
        self._note = note
        self._wake = wake
        self._forget()

    def _forget(self) -> None:
        self.pieces: list[Piece] = []
        self.lines: list[Line] = []
        self.actions: list[Mapping[str, Any]] = []
        self.error = ""

    @property
    def is_empty(self) -> bool:
        return not (self.pieces or self.actions)

    def play(self, audio: bytes) -> None:
        if len(audio) % 2:
            raise ValueError(f"an agent has given {len(audio)} bytes of audio: two are needed for each sample")
        if audio:
            self._account.play(len(audio))
            self._add(bytes(audio))

    def transcript(self, speaker: Speaker, text: str) -> None:
        if not text:
            return
        text = text[:LONGEST_LINE]
        self.lines.append(Line(speaker, text))
        self._add(Text(f"[{speaker}]: {text}"))

    def action(self, action: Mapping[str, Any]) -> None:
        self.actions.append(dict(action))
        self._wake.set()

    def clear(self) -> None:
        self._account.clear(time.monotonic())
        self._add(Clear())

    def fail(self, reason: str) -> None:
        if not self.error:
            self.error = reason or "the agent gave no reason"
            self._add(Failure(self.error))

    def note(self, text: str) -> None:
        self._note(text)

    def _add(self, piece: Piece) -> None:
        if not self.error or isinstance(piece, Failure):
            self.pieces.append(piece)
            self._wake.set()

    def collect(self, read: int) -> Commit:
        """Return all that was said since the last time, as the commit of so many inputs."""
        commit = Commit(read, self.pieces, self.lines, self.actions, self.error, self._account.snapshot)
        error = self.error
        self._forget()
        self.error = error
        return commit


class RunningConversation:
    """One agent, from its beginning to its end, in one task. On the event loop."""

    def __init__(self, store: SessionStore, lease: Lease, profile: AgentProfile, make: MakeAgent,
                 tell: Callable[[str], None], note: Callable[[str], None]) -> None:
        """`make` makes the agent; `tell` writes to the log that it has failed, `note` what it says itself."""
        self._store = store
        self._lease = lease
        self._profile = profile
        self._make = make
        self._tell = tell
        self._account = PlaybackAccount(lease.playback)
        self._output = _Output(self._account, lease.wake, lambda text: note(
            f"the agent {profile.agent} of call {lease.opening.call_id}: {text}"))
        self._told_ms = 0

    async def run(self) -> None:
        """Return when the session has ended, or its agent has. An agent that raises has failed."""
        opening = self._lease.opening
        conversation = Conversation(opening.call_id, opening.tenant_id, opening.store_id, opening.did,
                                    opening.caller_number, self._lease.lines)
        agent: Agent | None = None
        try:
            try:
                agent = self._make(conversation, self._profile, self._output)
                await self._begin(agent)
                while not self._output.error:
                    await self._step(agent)
            except SessionGone:
                raise
            except Exception as error:  # whatever a foreign package does
                self._output.fail(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
            await self._store.commit(self._lease, self._output.collect(0))
            self._tell(f"the agent {self._profile.agent} of call {opening.call_id} has failed: {self._output.error}")
        except SessionGone:
            pass
        finally:
            if agent is not None:
                await self._end(agent)

    async def _begin(self, agent: Agent) -> None:
        """Start the agent, and commit meanwhile what it says already."""
        start = asyncio.ensure_future(agent.start())
        start.add_done_callback(lambda _: self._lease.wake.set())
        try:
            while not start.done():
                await self._lease.wake.wait()
                self._lease.wake.clear()
                await self._store.commit(self._lease, self._output.collect(0))
            self._lease.wake.set()  # for what has come in meanwhile
            await start
        finally:
            start.cancel()

    async def _step(self, agent: Agent) -> None:
        wake, pause = self._lease.wake, self._pause
        timer = None if pause is None else asyncio.get_running_loop().call_later(pause, wake.set)
        try:
            await wake.wait()  # not wait_for, which makes a task of it, once for every piece of audio
        finally:
            if timer is not None:
                timer.cancel()
        wake.clear()
        inputs = await self._store.read(self._lease)
        await self._take(agent, inputs)
        if inputs or not self._output.is_empty:
            await self._store.commit(self._lease, self._output.collect(len(inputs)))

    @property
    def _pause(self) -> float | None:
        """Until what was heard is to be estimated again; None: not before something happens."""
        return _ESTIMATE_SECONDS if self._account.is_playing else None

    async def _take(self, agent: Agent, inputs: Sequence[Input]) -> None:
        audio = bytearray()
        now = time.monotonic()
        answered = 0
        for one in inputs:
            if isinstance(one, bytes):
                audio += one
            elif isinstance(one, Delivered):
                self._account.deliver(one.audio_bytes, one.clear, now)
            elif isinstance(one, Heard):
                answered += self._account.tell(one.milliseconds, one.by_poll, now)
        answered += self._account.estimate(now)
        await self._report(agent, answered)
        if audio:
            await agent.hear(bytes(audio))

    async def _report(self, agent: Agent, answered: int) -> None:
        heard = self._account.milliseconds
        for _ in range(answered):
            await agent.heard(heard, True)
        if heard > self._told_ms and not answered:
            await agent.heard(heard, False)
        self._told_ms = max(heard, self._told_ms)

    async def _end(self, agent: Agent) -> None:
        try:
            await agent.end()
        except Exception as error:
            self._tell(f"the agent {self._profile.agent} of call {self._lease.opening.call_id} has not ended well: "
                       f"{type(error).__name__}: {error}")


class Conversations:
    """All agents of this process. On the event loop."""

    def __init__(self, store: SessionStore, choose: Callable[[str], AgentProfile], make: MakeAgent,
                 tell: Callable[[str], None], note: Callable[[str], None],
                 on_fault: Callable[[BaseException], None]) -> None:
        """`choose` returns the profile of an ``aiAgentRef``, `make` makes agents, `tell` writes to the log that one has
        failed, `note` what agents have written there, `on_fault` is told of defects.
        """
        self._store, self._choose, self._make = store, choose, make
        self._tell, self._note, self._on_fault = tell, note, on_fault
        self._tasks: set[asyncio.Task[None]] = set()
        store.run = self.begin

    def begin(self, lease: Lease) -> None:
        """Run the agent of a session."""
        running = RunningConversation(self._store, lease, self._choose(lease.opening.agent_ref), self._make, self._tell,
                                      self._note)
        task = asyncio.get_running_loop().create_task(running.run())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_fault(error)

    def __len__(self) -> int:
        return len(self._tasks)

    async def end(self) -> None:
        """End all agents, and return when they have released what they had."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
