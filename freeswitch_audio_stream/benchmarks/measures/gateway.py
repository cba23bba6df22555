"""``gateway``: live sessions on one process of the HTTP gateway, and its share of what the web server can do at all."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import Any

from ..errors import BenchError
from ..gateway.redis import RedisProcess
from ..gateway.servers import BareProcess, GatewayProcess, Load, Server, allow_many_connections
from ..report import goals
from ..report.results import Results, Table
from ..report.statistics import compare
from .trial import progress

HASTY_CALLERS = 32
"""Enough to keep one process busy all the time."""
SHARE = 0.6
OURS, SHARED, BARE = "gateway", "gateway with Redis", "bare ASGI handler on the same web server"


def measure(sessions: int, chunk_ms: int, seconds: float, rounds: int, warm: float = 2.0,
            with_redis: bool = False) -> Results:
    """Measure `sessions` callers in real time, then the gateway and the bare server by turns."""
    allow_many_connections()
    results = Results("gateway", [])
    with ExitStack() as opened:
        redis = opened.enter_context(RedisProcess()) if with_redis else None
        load = opened.enter_context(Load())
        lives = [_live(load, store, sessions, chunk_ms, seconds, warm, results)
                 for store in ([None, redis] if redis else [None])]
        found = _by_turns(load, redis, chunk_ms, seconds / 2, rounds, warm / 2, results)
    results.tables += [_share_table(found), goals.table(_goals(lives, found))]
    return results


def _live(load: Load, redis: RedisProcess | None, sessions: int, chunk_ms: int, seconds: float, warm: float,
          results: Results) -> dict[str, Any]:
    with GatewayProcess(sessions, redis) as gateway:
        progress(f"{sessions} live sessions{' in Redis' if redis else ''}, chunks of {chunk_ms} ms, for {seconds:g} s")
        live = load.put_on(gateway, "live", sessions, chunk_ms, seconds, warm)
    results.rounds.append({"work": "live with Redis" if redis else "live", **live})
    _check(live)
    results.tables.append(_live_table(live, sessions, chunk_ms, redis is not None))
    return live


def _check(measured: dict[str, Any]) -> None:
    if not measured["answer_ms"] or measured["heard"] == 0:
        raise BenchError(f"nothing has come back from the gateway: {measured['refused'] or 'it has said nothing'}")


def _by_turns(load: Load, redis: RedisProcess | None, chunk_ms: int, seconds: float, rounds: int, warm: float,
              results: Results) -> dict[str, list[dict[str, Any]]]:
    """Return the rounds of each server, by its name."""
    with ExitStack() as opened:
        servers: dict[str, Server] = {OURS: opened.enter_context(GatewayProcess(HASTY_CALLERS))}
        if redis:
            servers[SHARED] = opened.enter_context(GatewayProcess(HASTY_CALLERS, redis))
        servers[BARE] = opened.enter_context(BareProcess(chunk_ms))
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
        for number in range(rounds):
            for name, server in servers.items():
                progress(f"round {number + 1} of {rounds}: {name}, {HASTY_CALLERS} callers as fast as answered")
                found[name].append(load.put_on(server, "hasty", HASTY_CALLERS, chunk_ms, seconds, warm))
                results.rounds.append({"work": name, **found[name][-1]})
    return found


def _live_table(live: dict[str, Any], sessions: int, chunk_ms: int, in_redis: bool) -> Table:
    where = " in Redis" if in_redis else ""
    table = Table(f"{sessions} live sessions{where}, chunks of {chunk_ms} ms, one process, ms",
                  ("", "p50", "p99", "longest"))
    table.rows += [("POST: due to answer", *live["post_ms"]),
                   ("echo: POST due to the poll's answer that has it", *live["answer_ms"]),
                   ("the load itself: due to sent", *live["late_ms"])]
    refused = "; ".join(f"{count} × {why}" for why, count in live["refused"].items()) or "none"
    table.notes += [
        f"the gateway: {live['cpu']:.2f} cores, {live['resident_mib']:.0f} MiB resident, "
        f"{live['kib_per_session']:.0f} KiB more per session; {live['requests']:.0f} requests/s of "
        f"{2000 * sessions / chunk_ms:.0f} that would be answered singly",
        f"the load: {live['load_cpu']:.2f} cores; less than one, and sent in time: it is not the bottleneck",
        *([f"Redis: {live['redis_cpu']:.2f} cores"] if in_redis else ()),
        f"chunks sent {live['sent']}, heard {live['heard']}, misplaced {live['misplaced']}; refused: {refused}"]
    return table


def _share_table(found: dict[str, list[dict[str, Any]]]) -> Table:
    table = Table(f"{HASTY_CALLERS} callers as fast as they are answered: a POST and a poll by turns",
                  ("", "requests/s", "µs of CPU per request", "of Redis", "its cores", "the load's cores"))
    for name, rounds in found.items():
        columns = [[each["requests"] for each in rounds], [1e6 * each["cpu"] / each["requests"] for each in rounds],
                   [1e6 * each["redis_cpu"] / each["requests"] for each in rounds], [each["cpu"] for each in rounds],
                   [each["load_cpu"] for each in rounds]]
        table.rows.append((name, *map(median, columns)))
    table.notes.append("each server has a core to fill: where its cores are well below 1, something else held it up")
    return table


def _goals(lives: list[dict[str, Any]], found: dict[str, list[dict[str, Any]]]) -> list[goals.Goal]:
    requests = {name: [each["requests"] for each in rounds] for name, rounds in found.items()}
    wrong = sum(live["misplaced"] + sum(live["refused"].values()) for live in lives)
    return [goals.Goal("requests/s / the bare handler's", compare(requests[OURS], requests[BARE]).ratio, SHARE,
                       least=True),
            goals.Goal("chunks misplaced, and answers refused", wrong, 0)]
