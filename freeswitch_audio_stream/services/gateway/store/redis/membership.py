"""Who lives, and who takes over from whom does not. A process tells every second that it lives."""

from __future__ import annotations

import asyncio
import time
from typing import Awaitable, Callable, Sequence

from ..interface import StoreAway
from .keys import IndexKeys
from .pipeline import ScriptPipeline
from .scripts import ADOPT, BEAT, CLAIM, LEAVE

BEAT_SECONDS = 1.0
LIFE_SECONDS = 2.5
"""How long a process counts as alive after it has told so."""
_AGAIN_SECONDS = 0.2
"""Until the rest of a dead process's sessions is looked for, where others had their turn."""

TakeOver = Callable[[str, int, Sequence[str]], Awaitable[None]]
"""Take over the session of a name with an epoch, unless one of these processes, which live, owns it."""


class Membership:
    """Of this process. On the event loop."""

    def __init__(self, pipeline: ScriptPipeline, keys: IndexKeys, process: str, take_over: TakeOver,
                 on_change: Callable[[], None], tell: Callable[[str], None]) -> None:
        """`on_change` is called when this process had counted as dead, and when Redis goes away; `tell` writes to the
        log.
        """
        self._pipeline, self._keys, self._process = pipeline, keys, process
        self._take_over, self._on_change, self._tell = take_over, on_change, tell
        self._hurry = asyncio.Event()
        self._alive_since = time.monotonic()
        self._is_doubtful = False
        self._is_up: bool | None = None
        """Whether Redis has answered the last time; None: it was not asked yet."""
        self.others = 0
        """How many other processes live."""

    def hurry(self) -> None:
        """Look at once: another process has left."""
        self._hurry.set()

    def doubt(self) -> None:
        """Look, the next time, for sessions that are this process's and whose agents it does not run."""
        self._is_doubtful = True

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            timer = asyncio.get_running_loop().call_later(await self.beat(), self._hurry.set)
            try:
                await self._hurry.wait()  # not wait_for, which forgets a cancellation that comes at the same moment
            finally:
                timer.cancel()
            self._hurry.clear()

    async def beat(self) -> float:
        """Tell that this process lives, and take over what is nobody's. Return how long to wait for the next time."""
        try:
            live = await self._tell_alive()
            self._note_up()
            return await self._adopt_all(live)
        except StoreAway as error:
            self._note_away(error)
            return BEAT_SECONDS

    def _note_up(self) -> None:
        if self._is_up is False:
            self._tell("Redis answers again")
            self._on_change()
        self._is_up = True

    def _note_away(self, error: StoreAway) -> None:
        self.doubt()
        if self._is_up is not False:
            self._is_up = False
            self._tell(f"requests are refused with 503 until Redis is back: {error}")
            self._on_change()

    async def _tell_alive(self) -> list[str]:
        was_alive, live, dead = await self._pipeline.call(
            BEAT, [self._keys.processes], self._process, str(LIFE_SECONDS), self._keys.channel + self._process)
        if not was_alive:
            self._alive_since = time.monotonic()
            self.doubt()
            self._on_change()
        names = [name.decode() for name in live]
        self.others = len(names) - 1
        self._dead = [(dead[place].decode(), bool(dead[place + 1])) for place in range(0, len(dead), 2)]
        return names

    async def _adopt_all(self, live: Sequence[str]) -> float:
        if self._is_doubtful:
            self._is_doubtful = False
            await self._claim(live)
        left = 0
        for process, has_left in self._dead:
            # After Redis was away everybody seems dead, and gets the time to tell that it is not.
            if has_left or time.monotonic() - self._alive_since >= LIFE_SECONDS:
                left += await self._adopt(process, live)
        return _AGAIN_SECONDS if left else BEAT_SECONDS

    async def _adopt(self, process: str, live: Sequence[str]) -> int:
        """Take this process's part of a dead one's sessions over; return how many are left to the others."""
        keys = self._keys
        epoch, left, names = await self._pipeline.call(
            ADOPT, [keys.processes, keys.owned(process), keys.owned(self._process), keys.epoch], process, len(live))
        await self._take_over_all(epoch, names, live)
        return int(left)

    async def _claim(self, live: Sequence[str]) -> None:
        epoch, names = await self._pipeline.call(CLAIM, [self._keys.owned(self._process), self._keys.epoch])
        await self._take_over_all(epoch, names, live)

    async def _take_over_all(self, epoch: int, names: Sequence[bytes], live: Sequence[str]) -> None:
        done = await asyncio.gather(*(self._take_over(name.decode(), epoch + number, live)
                                      for number, name in enumerate(names)), return_exceptions=True)
        for result in done:
            if isinstance(result, StoreAway):
                self.doubt()
            elif isinstance(result, BaseException):
                raise result

    async def leave(self) -> None:
        """Have the others take over at once; where Redis is away, they do by themselves, later."""
        try:
            await self._pipeline.call(LEAVE, [self._keys.processes], self._process, self._keys.everybody)
        except StoreAway:
            pass
