"""``gateway``: live sessions on one process of the HTTP gateway, and its share of what the web server can do at all."""

from __future__ import annotations

from statistics import median
from typing import Any

from ..errors import BenchError
from ..gateway.servers import BareProcess, GatewayProcess, Load, Server, allow_many_connections
from ..report import goals
from ..report.results import Results, Table
from ..report.statistics import compare
from .trial import progress

HASTY_CALLERS = 32
"""Enough to keep one process busy all the time."""
SHARE = 0.6


def measure(sessions: int, chunk_ms: int, seconds: float, rounds: int, warm: float = 2.0) -> Results:
    """Measure `sessions` callers in real time, then the gateway and the bare server by turns."""
    allow_many_connections()
    results = Results("gateway", [])
    with Load() as load:
        with GatewayProcess(sessions) as gateway:
            progress(f"{sessions} live sessions, chunks of {chunk_ms} ms, for {seconds:g} s")
            live = load.put_on(gateway, "live", sessions, chunk_ms, seconds, warm)
        results.rounds.append({"work": "live", **live})
        _check(live)
        results.tables.append(_live_table(live, sessions, chunk_ms))
        ours, bare = _by_turns(load, chunk_ms, seconds / 2, rounds, warm / 2, results)
    results.tables += [_share_table(ours, bare), goals.table(_goals(live, ours, bare))]
    return results


def _check(measured: dict[str, Any]) -> None:
    if not measured["answer_ms"] or measured["heard"] == 0:
        raise BenchError(f"nothing has come back from the gateway: {measured['refused'] or 'it has said nothing'}")


def _by_turns(load: Load, chunk_ms: int, seconds: float, rounds: int, warm: float, results: Results
              ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []
    with GatewayProcess(HASTY_CALLERS) as gateway, BareProcess(chunk_ms) as least:
        servers: list[tuple[str, Server, list[dict[str, Any]]]] = [("gateway", gateway, ours), ("bare", least, bare)]
        for number in range(rounds):
            for name, server, found in servers:
                progress(f"round {number + 1} of {rounds}: {name}, {HASTY_CALLERS} callers as fast as answered")
                found.append(load.put_on(server, "hasty", HASTY_CALLERS, chunk_ms, seconds, warm))
                results.rounds.append({"work": name, **found[-1]})
    return ours, bare


def _live_table(live: dict[str, Any], sessions: int, chunk_ms: int) -> Table:
    table = Table(f"{sessions} live sessions, chunks of {chunk_ms} ms, one process, ms", ("", "p50", "p99", "longest"))
    table.rows += [("POST: due to answer", *live["post_ms"]),
                   ("echo: POST due to the poll's answer that has it", *live["answer_ms"]),
                   ("the load itself: due to sent", *live["late_ms"])]
    refused = "; ".join(f"{count} × {why}" for why, count in live["refused"].items()) or "none"
    table.notes += [
        f"the gateway: {live['cpu']:.2f} cores, {live['resident_mib']:.0f} MiB resident, "
        f"{live['kib_per_session']:.0f} KiB more per session; {live['requests']:.0f} requests/s of "
        f"{2000 * sessions / chunk_ms:.0f} that would be answered singly",
        f"the load: {live['load_cpu']:.2f} cores; less than one, and sent in time: it is not the bottleneck",
        f"chunks sent {live['sent']}, heard {live['heard']}, misplaced {live['misplaced']}; refused: {refused}"]
    return table


def _share_table(ours: list[dict[str, Any]], bare: list[dict[str, Any]]) -> Table:
    table = Table(f"{HASTY_CALLERS} callers as fast as they are answered: a POST and a poll by turns",
                  ("", "requests/s", "µs of CPU per request", "its cores", "the load's cores"))
    for name, found in (("gateway", ours), ("bare ASGI handler on the same web server", bare)):
        requests, cpu = median(each["requests"] for each in found), median(each["cpu"] for each in found)
        table.rows.append((name, requests, median(1e6 * each["cpu"] / each["requests"] for each in found), cpu,
                           median(each["load_cpu"] for each in found)))
    table.notes.append("each server has a core to fill: where its cores are well below 1, something else held it up")
    return table


def _goals(live: dict[str, Any], ours: list[dict[str, Any]], bare: list[dict[str, Any]]) -> list[goals.Goal]:
    share = compare([each["requests"] for each in ours], [each["requests"] for each in bare]).ratio
    return [goals.Goal("requests/s / the bare handler's", share, SHARE, least=True),
            goals.Goal("chunks misplaced, and answers refused", live["misplaced"] + sum(live["refused"].values()), 0)]
