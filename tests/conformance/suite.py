"""The Autobahn test suite's cases, run by kosoku: a program, so that neither shares our interpreter.

    python suite.py client <messages> <URL> <case>…   be the client of the server at that URL
    python suite.py server <messages> <case>…         be the server: print its URL and how many cases there are,
                                                         serve them until there is a line of input

Cases are ids or `*` globs. `messages` is how many of each size the cases of compression exchange; the suite has 1000.
The last line of output is a JSON list with [id, behaviour, behaviour of the close, what is said of both] of each case.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from typing import Any, Callable

import kosoku
from kosoku._caseindex import initialize_shims
from websockets.asyncio.client import connect

Hear = Callable[[Any, Any, bool], None]


def adjust(messages: int) -> None:
    """Set how many messages the cases of compression exchange, and mend what kosoku 0.1.0 gets wrong of them: they take
    bytes, and what the peer did not compress, as it is free not to, comes to them as str, an octet a character.
    """
    initialize_shims()
    module = importlib.import_module("case12_x_x")
    for case in (*module.Case12_X_X, *module.Case13_X_X):
        case.COUNT = messages
        case.onMessage = _in_bytes(case.onMessage)


def _in_bytes(hear: Hear) -> Hear:
    def on_message(case: Any, message: Any, binary: bool) -> None:
        hear(case, message.encode("latin-1") if isinstance(message, str) else message, binary)
    return on_message


async def be_client(url: str, cases: list[str]) -> Any:
    return await kosoku.run_fuzzingclient(url, cases, concurrency=4)


async def be_server(cases: list[str]) -> Any:
    async with kosoku.run_fuzzingserver(cases, host="127.0.0.1", port=0) as server:
        url = f"ws://{server.address}:{server.port}"
        async with connect(f"{url}/getCaseCount") as connection:
            print(url, await connection.recv(), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        async with connect(f"{url}/updateReports?agent=echo"):
            return await server.get_result()


async def main(role: str, messages: str, *rest: str) -> None:
    adjust(int(messages))
    try:
        results = await (be_client(rest[0], list(rest[1:])) if role == "client" else be_server(list(rest)))
    except kosoku.FailureError as failure:
        results = failure.results
    print(json.dumps([(case.case_id, case.behavior.value, case.behavior_close.value,
                       f"{case.result} {case.result_close}") for case in results]), flush=True)
    os._exit(0)  # threads of kosoku 0.1.0 may still run at the interpreter's end, and would abort it


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
