"""What sharing sessions in Redis is about: other processes, leases that are lost, a Redis that is away."""

from __future__ import annotations

import asyncio
from typing import Awaitable, Callable, Iterator

import pytest

pytest.importorskip("redis")
from freeswitch_audio_stream.services.gateway.agents import Line  # noqa: E402
from freeswitch_audio_stream.services.gateway.store.interface import (Commit, Playback, SessionGone,  # noqa: E402
                                                                      SessionKey, StoreAway)
from freeswitch_audio_stream.services.gateway.store.redis.keys import key_of, name_of, session_keys  # noqa: E402
from tests.engine.harness import PATIENCE  # noqa: E402

from ..redis_server import RedisCluster, RedisServer  # noqa: E402
from .redis_pair import KEY, OPENING, Process  # noqa: E402

pytestmark = pytest.mark.slow

Test = Callable[[Process, Process], Awaitable[None]]


@pytest.fixture
def redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Its parameter is what makes it."""
    server = getattr(request, "param", RedisServer)()
    yield server
    server.close()


@pytest.fixture
def run(redis: RedisServer) -> Callable[[Test], None]:
    """Run a test on two processes, the first of which has a session."""
    def on_two(test: Test) -> None:
        async def begin() -> None:
            one, other = (Process(redis.url, is_cluster=redis.is_cluster) for _ in range(2))
            await one.store.start()
            await other.store.start()
            try:
                assert await one.store.create(KEY, OPENING)
                await asyncio.wait_for(test(one, other), PATIENCE)
            finally:
                await one.store.stop()
                await other.store.stop()
        asyncio.run(begin())
    return on_two


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


on_any_redis = pytest.mark.parametrize("redis", [RedisServer, RedisCluster], ids=["server", "cluster"], indirect=True)


@on_any_redis
def test_any_process_answers(run: Callable[[Test], None]) -> None:
    async def test(one: Process, other: Process) -> None:
        lease = one.leases[0]
        assert not await other.store.create(KEY, OPENING) and other.leases == []
        lease.wake.clear()
        await other.store.post(KEY, [b"ab"], 1)
        await lease.wake.wait()
        assert await one.store.read(lease) == [b"ab"]
        poll = asyncio.ensure_future(other.take(PATIENCE))
        await until(lambda: other.store.figures["polls_waiting"] == 1)
        await one.store.commit(lease, Commit(1, [b"cd"], [Line("AI", "x")]))
        assert (await poll).audio == b"cd"
        assert [state.lines for state in await other.store.states("tenant")] == [[Line("AI", "x")]]
        lease.wake.clear()
        assert (await other.store.end(KEY)).lines == [Line("AI", "x")]
        await lease.wake.wait()
        await until(lambda: one.store.figures["sessions"] == 0)
        with pytest.raises(SessionGone):
            await one.store.read(lease)
    run(test)


def test_a_dead_process_is_followed_and_changes_nothing_if_it_was_not_dead(run: Callable[[Test], None]) -> None:
    async def test(one: Process, other: Process) -> None:
        lease = one.leases[0]
        await one.store.commit(lease, Commit(0, [b"spoken"], [Line("AI", "x")], [{"a": 1}], "", Playback(6, 2, 4)))
        await other.store.post(KEY, [b"ab"], 1)
        assert await one.store.read(lease) == [b"ab"]
        one.die()
        await other.got_lease.wait()
        successor = other.leases[0]
        assert successor.epoch > lease.epoch and successor.opening == OPENING
        assert (successor.lines, successor.playback) == ([Line("AI", "x")], Playback(6, 2, 4))
        with pytest.raises(SessionGone):
            await one.store.commit(lease, Commit(1, [b"late"]))
        assert await other.store.read(successor) == [b"ab"]
        await other.store.commit(successor, Commit(1, [b"new"]))
        assert (await other.take()).audio == b"spokennew"
        assert (await one.store.end(KEY)).actions == [{"a": 1}]
    run(test)


@on_any_redis
def test_who_leaves_is_followed_at_once(run: Callable[[Test], None]) -> None:
    async def test(one: Process, other: Process) -> None:
        await until(lambda: one.store.others == 1)
        one.die()
        await one.store._membership.leave()
        await other.got_lease.wait()
        assert any("goes on here" in line for line in other.log)
    run(test)


def test_a_session_whose_agent_has_failed_is_kept_and_its_agent_not_run(run: Callable[[Test], None]) -> None:
    async def test(one: Process, other: Process) -> None:
        await one.store.commit(one.leases[0], Commit(0, error="why"))
        one.die()
        await one.store._membership.leave()
        await until(lambda: other.store.figures["sessions"] == 1)
        assert other.leases == [] and (await other.store.state(KEY)).error == "why"
    run(test)


def test_a_commit_whose_answer_was_lost_is_carried_out_once(run: Callable[[Test], None]) -> None:
    async def test(one: Process, other: Process) -> None:
        lease = one.leases[0]
        await one.store.commit(lease, Commit(0, [b"ab"], [Line("AI", "x")]))
        one.store._leases.of(lease).commits -= 1  # it is asked for again
        await one.store.commit(lease, Commit(0, [b"ab"], [Line("AI", "x")]))
        assert (await one.take()).audio == b"ab" and (await one.store.state(KEY)).lines == [Line("AI", "x")]
    run(test)


def test_everything_has_an_end_by_itself(run: Callable[[Test], None], redis: RedisServer) -> None:
    async def test(one: Process, other: Process) -> None:
        await other.store.post(KEY, [b"ab"], None)
        await one.store.commit(one.leases[0], Commit(0, [b"cd"], [Line("AI", "x")], [{"a": 1}]))
        for key in session_keys("audio-stream", name_of(KEY)):
            assert 600 < int(redis.command("ttl", key)) <= 780, key
        await one.store.end(KEY)
        assert [key for key in redis.command("keys", "*").split() if "call" in key] == []
        assert redis.command("smembers", "audio-stream:{index}:owned:" + one.store._process) == ""
    run(test)


def test_while_redis_is_away_requests_are_refused_and_agents_wait(
        run: Callable[[Test], None], redis: RedisServer) -> None:
    async def test(one: Process, other: Process) -> None:
        lease = one.leases[0]
        poll = asyncio.ensure_future(other.take(PATIENCE))
        await until(lambda: other.store.figures["polls_waiting"] == 1)
        await asyncio.to_thread(redis.kill)
        with pytest.raises(StoreAway):
            await poll
        for asked in (one.store.post(KEY, [b"ab"], None), one.take(), one.store.create(KEY, OPENING), one.store.check(),
                      one.store.state(KEY), one.store.states("tenant"), one.store.end(KEY)):
            with pytest.raises(StoreAway):
                await asked
        assert await one.store.sweep() == 0
        await until(lambda: any("until Redis is back" in line for line in one.log))
        reading = asyncio.ensure_future(one.store.read(lease))
        await asyncio.to_thread(redis.start)
        with pytest.raises(SessionGone):  # this Redis has kept nothing
            await reading
        await until(lambda: one.log[-1:] == ["Redis answers again"])
        assert await one.store.create(KEY, OPENING)
    run(test)


def test_a_redis_that_keeps_its_data_goes_on_where_it_was() -> None:
    server = RedisServer(is_durable=True)

    async def test() -> None:
        one = Process(server.url)
        await one.store.start()
        assert await one.store.create(KEY, OPENING)
        await one.store.post(KEY, [b"ab"], 1)
        await asyncio.to_thread(server.kill)
        committing = asyncio.ensure_future(one.store.commit(one.leases[0], Commit(0, [b"cd"])))
        await asyncio.to_thread(server.start)
        await committing
        assert await one.store.read(one.leases[0]) == [b"ab"] and (await one.take()).audio == b"cd"
        assert len(one.leases) == 1
        await one.store.stop()
    try:
        asyncio.run(asyncio.wait_for(test(), PATIENCE))
    finally:
        server.close()


def test_a_gateway_alone_goes_on_with_what_it_left(redis: RedisServer) -> None:
    async def test() -> None:
        for number in range(2):
            process = Process(redis.url)
            await process.store.start()
            if number == 0:
                assert await process.store.create(KEY, OPENING)
            await process.got_lease.wait()
            await process.store.stop()
    asyncio.run(asyncio.wait_for(test(), PATIENCE))


def test_prefixes_keep_sessions_apart(redis: RedisServer) -> None:
    async def test() -> None:
        for prefix in "ab":
            process = Process(redis.url, prefix=prefix)
            await process.store.start()
            assert await process.store.create(KEY, OPENING)
            await process.store.stop()
    asyncio.run(asyncio.wait_for(test(), PATIENCE))


@pytest.mark.parametrize("call_id", ["call", "a}b", "{x}", "a:b", "state"])
def test_keys_of_one_session_are_of_one_slot_and_nobody_elses(call_id: str) -> None:
    key = SessionKey("tenant:1", call_id)
    assert key_of(name_of(key)) == key
    tags = {each[each.index("{") + 1:each.index("}")] for each in session_keys("p", name_of(key))}
    assert len(tags) == 1
    assert not set(session_keys("p", name_of(key))) & set(session_keys("p", name_of(SessionKey("tenant", call_id))))
