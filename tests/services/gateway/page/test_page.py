"""The page in a headless Chromium: what somebody sees who looks at it."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Iterator

import numpy as np
import orjson
import pytest

from tests.browser import Browser, chromium, needs_chromium
from tests.engine.harness import PATIENCE, until

from ..harness import Site, audio_of, use_scripted

pytestmark = pytest.mark.slow

LOUD = (8000 * np.sin(np.arange(1600) / 5)).astype("<i2").tobytes()
KEY = "0123456789abcdef-key"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    use_scripted(monkeypatch)
    site = Site()
    yield site
    site.close()


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    use_scripted(monkeypatch)
    site = Site(KEY, api_keys=f"mine={KEY} another={KEY}-2")
    yield site
    site.close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path) as browser:
        yield browser


def text(selector: str) -> str:
    return f"(document.querySelector({selector!r})?.textContent ?? '')"


def width(side: str) -> str:
    return f"parseFloat(document.querySelector('.{side} div')?.style.width || '0')"


@needs_chromium
def test_a_call_is_seen_while_it_goes_on(site: Site, browser: Browser, tmp_path: Path) -> None:
    browser.open(site.gateway.url + "/")
    browser.wait_for("document.getElementById('none')?.hidden === false")
    site.create("call-1", callerNumber="393297626144", did="5406594427", aiAgentRef="customer-care-voice")
    browser.wait_for(f"{text('h2')} === 'call-1'")
    assert browser.evaluate(text(".about")).startswith("from 393297626144 · to 5406594427 · agent customer-care-voice")
    site.post(LOUD, "call-1")
    browser.wait_for(f"{width('caller')} > 50")
    assert browser.evaluate("document.querySelector('.caller').getAttribute('aria-valuetext')").endswith(" dB")
    site.do(("transcript", "User", "<b>Hello</b>"), ("transcript", "AI", "How can I help you?"), ("play", LOUD))
    while not audio_of(site.poll("call-1")):
        pass  # its transcript comes first
    browser.wait_for("document.querySelectorAll('.lines li').length === 2")
    browser.wait_for(f"{text('.turns')}.includes(' ms, median ')")
    lines = browser.evaluate("[...document.querySelectorAll('.lines li')].map((line) => line.textContent)")
    assert lines == ["Caller: <b>Hello</b>", "Agent: How can I help you?"]
    site.do(("transcript", "AI", "Are you there?"))
    browser.wait_for("document.querySelectorAll('.lines li').length === 3")
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    site.request("POST", "/api/voice/session/call-1/end")
    browser.wait_for("document.querySelectorAll('article').length === 0")
    assert browser.complaints == []
    assert all(url.startswith((site.gateway.url, "data:")) for url in browser.requested)


@needs_chromium
def test_a_failed_agent_is_told(site: Site, browser: Browser) -> None:
    site.create("call-1")
    site.do(("fail", "no credit"))
    browser.open(site.gateway.url + "/")
    browser.wait_for(f"{text('.error')} === 'no credit' && !document.querySelector('.error').hidden")


@needs_chromium
def test_a_key_is_asked_for_kept_in_the_tab_and_forgotten(keyed: Site, browser: Browser) -> None:
    keyed.create("call-1")
    browser.open(keyed.gateway.url + "/")
    browser.wait_for("document.getElementById('ask')?.hidden === false")
    assert browser.evaluate("document.activeElement.id") == "key"
    enter = "(document.getElementById('key').value = {!r}, document.getElementById('ask').requestSubmit())"
    browser.evaluate(enter.format("wrong-key-of-16-letters"))
    browser.wait_for(f"{text('#state')} === 'The gateway does not know this key'")
    assert browser.evaluate("sessionStorage.length") == 0
    browser.evaluate(enter.format(KEY))
    browser.wait_for(f"{text('h2')} === 'call-1'")
    browser.open(keyed.gateway.url + "/")
    browser.wait_for(f"{text('h2')} === 'call-1'")
    assert browser.evaluate("sessionStorage.length") == 1 and browser.evaluate("localStorage.length") == 0
    browser.evaluate("document.getElementById('forget').click()")
    browser.wait_for("document.querySelector('article') === null && document.getElementById('ask')?.hidden === false")


def first_event(site: Site, key: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(site.gateway.url.partition("//")[2], timeout=PATIENCE)
    try:
        connection.request("GET", "/live", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        told = answer.readline()
        return answer.status, orjson.loads(told.removeprefix(b"data: "))
    finally:
        connection.close()


def test_a_tenant_sees_its_own_sessions(keyed: Site) -> None:
    keyed.create("call-1")
    status, told = first_event(keyed, KEY)
    assert status == 200 and [one["callId"] for one in told["sessions"]] == ["call-1"]  # type: ignore[attr-defined]
    assert first_event(keyed, KEY + "-2") == (200, {"sessions": []})
    assert first_event(keyed, "")[0] == 401


def test_who_has_gone_is_not_counted_any_more(site: Site) -> None:
    assert first_event(site, "")[0] == 200
    until(lambda: site.gateway._monitor.watchers == 0)


def test_the_page_itself_needs_no_key_and_lets_nothing_else_in(keyed: Site) -> None:
    keyed.key = ""
    for path, kind in (("/", "text/html"), ("/live.css", "text/css"), ("/live.js", "text/javascript"),
                       ("/live_page.css", "text/css"), ("/live_page.js", "text/javascript")):
        status, headers, content = keyed.raw("GET", path)
        assert status == 200 and headers["content-type"].startswith(kind) and content
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert b"https://" not in content and b"http://" not in content
