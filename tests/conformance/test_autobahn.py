"""RFC 6455, by all cases of the Autobahn test suite, with our WebSocket as the client and as the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

import pytest

from freeswitch_audio_stream.realtime import path, path_format

from .echo import LARGEST, Echo, EchoServer

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("suite.py")
DEFAULT_MESSAGES = 100
MESSAGES = os.environ.get("AUTOBAHN_MESSAGES", str(DEFAULT_MESSAGES))
"""That the cases of groups 12 and 13 exchange; the suite has 1000."""
GROUPS = {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1, 12: 90, 13: 126}
"""Cases in each."""
COMPRESSION = (12, 13)
UNDEFINED = ["7.1.6", "7.13.1", "7.13.2"]
"""The suite takes anything there, and calls it informational."""
CONNECTIONS = 4  # many cases wait for most of their time
PATIENCE = 1800.0


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (path, path_format):  # the module itself sends nothing larger than a MiB
            patch.setattr(module, "OUTBOX_BYTES", 2 * LARGEST)
        echo = Echo()
        yield echo
        echo.close()


@contextmanager
def suite(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The suite, running; see `suite.py`."""
    process = subprocess.Popen([sys.executable, str(PROGRAM), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def verdicts(process: subprocess.Popen[str]) -> list[list[str]]:
    """What the suite says in the end."""
    output, _ = process.communicate("our part is done\n", timeout=PATIENCE)
    assert process.returncode == 0
    cases: list[list[str]] = json.loads(output.splitlines()[-1])
    return cases


def as_client(echo: Echo, group: int) -> list[list[str]]:
    """Connect to the suite."""
    with suite("server", MESSAGES, f"{group}.*") as process, ThreadPoolExecutor(CONNECTIONS) as pool:
        assert process.stdout is not None
        url, count = process.stdout.readline().split()
        urls = [f"{url}/runCase?case={number}&agent=echo" for number in range(1, int(count) + 1)]
        assert all(pool.map(lambda url: echo.connect(url).over.wait(PATIENCE), urls))
        return verdicts(process)


def as_server(echo: Echo, group: int) -> list[list[str]]:
    """Have the suite connect to us."""
    with EchoServer(echo) as server, suite("client", MESSAGES, server.url, f"{group}.*") as process:
        return verdicts(process)


def due(role: Callable[..., object], group: int, case: str) -> list[str]:
    """How a case has to be judged, and its close."""
    if case in UNDEFINED:
        return ["INFORMATIONAL", "INFORMATIONAL"]
    # The media server declines compression: what it carries is audio.
    return ["UNIMPLEMENTED" if role is as_server and group in COMPRESSION else "OK", "OK"]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("role", [as_client, as_server])
def test_all_cases_of_a_group(echo: Echo, role: Callable[[Echo, int], list[list[str]]], group: int) -> None:
    cases = role(echo, group)
    assert [case for case in cases if case[1:3] != due(role, group, case[0])] == []
    assert len(cases) == GROUPS[group]
    assert echo.faults == []
