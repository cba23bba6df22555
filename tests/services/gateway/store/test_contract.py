"""What any store of sessions does; each implementation is one more parameter of the fixture."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any, Awaitable, Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.services.gateway.agents import Line
from freeswitch_audio_stream.services.gateway.store.interface import (Commit, Delivered, Heard, Lease, Limits, Opening,
                                                                      SessionExists, SessionGone, SessionKey,
                                                                      SessionStore, TooManyPolls, TooManySessions,
                                                                      TooMuchAudio)
from freeswitch_audio_stream.services.gateway.store.memory import MemoryStore
from freeswitch_audio_stream.services.gateway.store.pieces import Clear, Failure, Piece, PieceQueue, Text

from ..redis_server import RedisCluster, RedisServer

KEY = SessionKey("tenant", "call")
OPENING = Opening("call", "tenant")
LIMITS = Limits(sessions=3, sessions_per_tenant=2, polls_per_session=2, waiting_bytes=100, unplayed_bytes=100,
                piece_bytes=10, idle_seconds=60)


MakeStore = Callable[[Limits, Callable[[], float]], SessionStore]


class Bench:
    """A store, its clock, and the leases it has given out."""

    def __init__(self, make: MakeStore) -> None:
        self.now = 1000.0
        self.store = make(LIMITS, lambda: self.now)
        self.leases: list[Lease] = []
        self.store.run = self.leases.append

    async def take(self, seconds: float = 0, heard: int | None = None, received: int | None = None) -> Any:
        async def is_wanted() -> bool:
            return True
        return await self.store.take(KEY, seconds, heard, received, is_wanted)

    async def say(self, *pieces: Piece, read: int = 0, **more: Any) -> None:
        await self.store.commit(self.leases[0], Commit(read, pieces, **more))


Test = Callable[[Bench], Awaitable[None]]


@pytest.fixture(scope="module", params=["memory", "redis", pytest.param("redis-cluster", marks=pytest.mark.slow)])
def make_store(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    """Each store is empty."""
    if request.param == "memory":
        yield MemoryStore
        return
    store = pytest.importorskip("freeswitch_audio_stream.services.gateway.store.redis.store")
    server = RedisCluster() if request.param == "redis-cluster" else RedisServer()
    number = count()
    yield lambda limits, clock: store.RedisStore(server.url, limits, prefix=f"test-{next(number)}", clock=clock,
                                                 is_cluster=server.is_cluster)
    server.close()


@pytest.fixture
def run(make_store: MakeStore) -> Callable[[Test], None]:
    """Run a test on a store that has one session."""
    def on_a_store(test: Test) -> None:
        async def begin() -> None:
            bench = Bench(make_store)
            await bench.store.start()
            try:
                assert await bench.store.create(KEY, OPENING)
                await test(bench)
            finally:
                await bench.store.stop()
        asyncio.run(begin())
    return on_a_store


def test_a_session_is_created_once_and_its_agent_run_once(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        assert not await bench.store.create(KEY, OPENING) and len(bench.leases) == 1
        assert bench.leases[0].opening == OPENING and not bench.leases[0].lines
        with pytest.raises(SessionExists):
            await bench.store.create(KEY, Opening("call", "another"))
    run(test)


def test_limits_of_sessions(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.store.create(SessionKey("tenant", "b"), Opening("b", "tenant"))
        with pytest.raises(TooManySessions, match="the tenant has 2"):
            await bench.store.create(SessionKey("tenant", "c"), Opening("c", "tenant"))
        await bench.store.create(SessionKey("other", "a"), Opening("a", "other"))
        with pytest.raises(TooManySessions, match="there are 3"):
            await bench.store.create(SessionKey("third", "a"), Opening("a", "third"))
        await bench.store.end(KEY)
        assert await bench.store.create(SessionKey("tenant", "c"), Opening("c", "tenant"))
        assert [state.opening.call_id for state in await bench.store.states("tenant")] == ["b", "c"]
    run(test)


def test_what_comes_in_is_read_again_until_it_is_committed(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        lease = bench.leases[0]
        lease.wake.clear()
        await bench.store.post(KEY, [b"ab", Heard(5, False)], None)
        await bench.store.post(KEY, [b"cd"], None)
        assert lease.wake.is_set()
        assert list(await bench.store.read(lease)) == [b"ab", Heard(5, False), b"cd"]
        await bench.store.post(KEY, [b"ef"], None)
        await bench.say(read=3)
        assert list(await bench.store.read(lease)) == [b"ef"]
    run(test)


def test_numbered_posts_are_taken_once(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        for sequence in (0, 0, 1, 0, 1, 5, 4):
            await bench.store.post(KEY, [bytes([sequence, 0])], sequence)
        assert list(await bench.store.read(bench.leases[0])) == [b"\0\0", b"\1\0", b"\5\0"]
    run(test)


def test_more_audio_than_the_agent_takes_is_refused(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.store.post(KEY, [bytes(100)], 1)
        with pytest.raises(TooMuchAudio):
            await bench.store.post(KEY, [bytes(2)], 2)
        await bench.say(read=len(await bench.store.read(bench.leases[0])))
        await bench.store.post(KEY, [bytes(2)], 2)
        assert len(await bench.store.read(bench.leases[0])) == 1
    run(test)


def test_what_is_delivered_is_told_once(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.say(bytes(4), Text("[AI]: a"))
        first = await bench.take(received=0)
        assert first == await bench.take(heard=3, received=0) and first.transcript == "[AI]: a"
        assert list(await bench.store.read(bench.leases[0])) == [Delivered(4, False), Heard(3, True)]
        assert (await bench.take(received=first.position)).is_empty
        await bench.say(Clear(), bytes(2))
        assert (await bench.take()).clear
        assert list(await bench.store.read(bench.leases[0]))[2:] == [Delivered(2, True)]
    run(test)


def test_polls_wait_each_for_its_own(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        polls = [asyncio.ensure_future(bench.take(60)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyPolls):
            await bench.take(60)
        await bench.say(b"0123456789")
        done, waiting = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        assert [poll.result().audio for poll in done] == [b"0123456789"] and len(waiting) == 1
        await bench.say(b"ab")
        assert (await waiting.pop()).audio == b"ab"
        assert bench.store.figures["polls_waiting"] == 0
    run(test)


def test_the_end_wakes_everybody(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        lease = bench.leases[0]
        await bench.say(lines=[Line("AI", "a")], actions=[{"b": 1}])
        poll = asyncio.ensure_future(bench.take(60))
        await asyncio.sleep(0)
        lease.wake.clear()
        state = await bench.store.end(KEY)
        assert (state.lines, state.actions) == ([Line("AI", "a")], [{"b": 1}]) and lease.wake.is_set()
        for gone in (poll, bench.store.read(lease), bench.say(), bench.take(), bench.store.end(KEY),
                     bench.store.state(KEY), bench.store.post(KEY, [b"ab"], None)):
            with pytest.raises(SessionGone):
                await gone
        assert await bench.store.create(KEY, OPENING)
        with pytest.raises(SessionGone):  # the lease of the session that was
            await bench.store.read(lease)
    run(test)


def test_a_failure_stays(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.say(b"ab", Failure("why"), error="why")
        assert (await bench.take()).audio == b"ab"
        assert [(await bench.take()).error for _ in range(3)] == ["why"] * 3
        assert await bench.store.post(KEY, [b"ab"], None) == "why"
        assert (await bench.store.state(KEY)).error == "why"
    run(test)


def test_only_what_is_idle_expires(run: Callable[[Test], None]) -> None:
    async def test(bench: Bench) -> None:
        bench.now += 59
        assert await bench.store.sweep() == 0
        await bench.take()
        bench.now += 59
        poll = asyncio.ensure_future(bench.take(60))
        await asyncio.sleep(0)
        bench.now += 100
        assert await bench.store.sweep() == 0, "a poll waits"
        bench.store.release_polls()
        assert (await poll).is_empty
        bench.now += 120  # a store may count the poll as if it had waited to its end
        assert await bench.store.sweep() == 1
        with pytest.raises(SessionGone):
            await bench.store.state(KEY)
    run(test)


PIECES = st.lists(st.one_of(st.integers(1, 30).map(lambda size: bytes(2 * size)), st.just(Text("[AI]: a"))),
                  max_size=30)


@given(PIECES)
def test_answers_carry_everything_in_order_and_no_more_than_they_may(pieces: list[Piece]) -> None:
    """Every byte and line comes out once, whether answers are told to have arrived or not."""
    for told in (False, True):
        queue = PieceQueue(20, 10_000)
        numbered = [bytes([number % 250 + 1]) * len(piece) if isinstance(piece, bytes) else Text(f"[AI]: {number}")
                    for number, piece in enumerate(pieces)]
        queue.add(numbered)
        audio, lines, position, fresh = b"", [], 0, 0
        while True:
            taken, size = queue.take(position if told else None)
            if told:
                again, none = queue.take(position)
                assert (again, none) == (taken, 0)
            if taken.is_empty:
                break
            assert len(taken.audio) <= 20
            audio, position, fresh = audio + taken.audio, taken.position, fresh + size
            lines += [taken.transcript] if taken.transcript else []
        assert audio == b"".join(piece for piece in numbered if isinstance(piece, bytes)) and fresh == len(audio)
        assert lines == [piece.text for piece in numbered if isinstance(piece, Text)]
        assert not len(queue) and queue.audio_bytes == 0


def test_what_nobody_fetches_is_dropped_and_counted() -> None:
    queue = PieceQueue(10, 25)
    queue.add([bytes(20), b"ab" * 10, Text("[AI]: a")])
    assert (queue.audio_bytes, queue.dropped_bytes) == (24, 16)
    assert b"".join(queue.take(None)[0].audio for _ in range(4)) == bytes(20) + b"abab"
