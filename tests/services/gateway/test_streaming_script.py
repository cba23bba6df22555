"""scripts/test_http_streaming.sh: it finds a server of the API right, and what is wrong with one that is not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .harness import Site
from .small_server import serving

SCRIPT = Path(__file__).parents[3] / "scripts" / "test_http_streaming.sh"
TENANT = "00000000-0000-0000-0000-000000000001"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items()
            if name not in ("API_KEY", "API_KEY_HEADER", "GATEWAY_URL") and not name.lower().endswith("_proxy")}
    return subprocess.run([str(SCRIPT), *arguments], env={**kept, **environment}, text=True, capture_output=True,
                          timeout=300)


def lines_of(output: str, first: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith(first)]


def test_a_server_of_the_api_passes() -> None:
    with serving() as server:
        ended = run(server.url)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(lines_of(ended.stdout, "ok ")) == 26 and not lines_of(ended.stdout, "WRONG")
    assert "the agent: [AI]: Hello" in ended.stdout
    assert "the agent has answered with 1000 ms of audio so far" in ended.stdout
    assert ended.stdout.endswith("All 26 answers are as they should be.\n")
    assert len(server.ended) == 1 and server.audio == {}


@pytest.mark.parametrize("key", ["", "0123456789abcdef-key"])
def test_our_gateway_passes(key: str) -> None:
    site = Site(key, api_keys=f"{TENANT}={key}" if key else "")
    try:
        ended = run(site.gateway.url, API_KEY=key)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "the agent has answered with 1000 ms of audio so far" in ended.stdout
        assert site.request("GET", "/api/voice/sessions")[1]["count"] == 0
    finally:
        site.close()


def test_the_url_may_come_from_the_environment_and_end_with_a_slash() -> None:
    with serving() as server:
        assert run(GATEWAY_URL=server.url + "/").returncode == 0


def test_an_api_key_is_shown_and_its_absence_tried() -> None:
    key = 'a "key" with \\ in it'
    with serving(key) as server:
        ended = run(server.url, API_KEY=key)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "the session without the API key" in ended.stdout and key not in ended.stdout
        refused = run(server.url)
        assert refused.returncode == 2
        assert "The server wants an API key" in refused.stderr and "API_KEY" in refused.stderr


@pytest.mark.parametrize("route, answer, sentence", [
    ("POST create", (200, {"sessionId": "another", "status": "created"}), '"sessionId"'),
    ("POST create", (500, {"detail": "broken"}), "HTTP status 500, not 200 or 201"),
    ("POST stream", (200, {"status": "lost"}), 'no "status": "streamed" in the answer'),
    ("GET response", (200, {"audio": "", "transcript": ""}), '"hasMore"'),
    ("GET response", (200, b"hello"), "the answer: hello"),
    ("GET session", (200, {"callId": "x"}), '"callId"'),
    ("GET sessions", (200, {"sessions": [], "count": 0}), '"count"'),
    ("GET session of nobody", (200, {}), "HTTP status 200, not 404"),
    ("POST stream of nobody", (404, b""), "in the answer"),
    ("POST end", (200, {"status": "ended"}), '"summary"'),
])
def test_what_is_wrong_is_told_and_the_session_ended(route: str, answer: tuple[int, Any], sentence: str) -> None:
    with serving(wrong={route: answer}) as server:
        ended = run(server.url)
        assert ended.returncode == 1
        assert any(sentence in line for line in ended.stdout.splitlines()), ended.stdout
        assert lines_of(ended.stdout, "WRONG") and "answers are not as they should be" in ended.stdout
        assert server.audio == {}, "the session is ended in any case"


def test_nobody_there_is_told_with_the_remedy() -> None:
    with serving() as server:
        url = server.url
    ended = run(url)
    assert ended.returncode == 2
    assert f"Nothing answers at {url}" in ended.stderr and "freeswitch-audio-stream gateway" in ended.stderr


@pytest.mark.parametrize("arguments, sentence", [
    (["localhost:3105"], "is no URL: it begins with http:// or https://"),
    (["--fast"], "There is no option --fast"),
    (["http://a", "http://b"], "One URL is enough"),
])
def test_wrong_words_are_one_sentence(arguments: list[str], sentence: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2 and sentence in ended.stderr and ended.stdout == ""


def test_missing_curl_is_told(tmp_path: Path) -> None:
    for program in ("base64", "sed", "grep", "head", "tr", "mktemp", "sh"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    ended = run("http://localhost:1", PATH=str(tmp_path))
    assert ended.returncode == 2 and "These programs are missing: curl." in ended.stderr


def test_help_says_what_the_environment_is_for() -> None:
    ended = run("--help")
    assert ended.returncode == 0
    assert "API_KEY" in ended.stdout and "Exit status: 0" in ended.stdout and "#" not in ended.stdout
