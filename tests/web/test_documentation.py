"""/docs and /redoc: every script, style and image is the server's own, and a browser without internet shows them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.browser import chromium, needs_chromium

from .program import Program

pytestmark = pytest.mark.slow

SHOWN = {"/docs": "document.querySelectorAll('.opblock').length", "/redoc": "document.querySelectorAll('h2').length"}


class _Urls(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if value and name in ("href", "src", "spec-url", "action")]


@pytest.mark.parametrize("page", SHOWN)
def test_every_url_is_our_own(program: Program, page: str) -> None:
    status, body = program.get(page)
    text = body.decode()
    urls = _Urls(text).found + re.findall(r"url: *['\"]([^'\"]+)", text)
    assert status == 200 and len(urls) >= 3 and "openapi.json" in urls
    for url in urls:
        assert urljoin("/prefix" + page, url).startswith("/prefix/"), "a proxy may put it anywhere"
        assert program.get(urljoin(page, url))[0] == 200
    assert not re.search(r"https?://", text)


def test_what_scripts_would_load_from_elsewhere(program: Program) -> None:
    """Redoc has the URL of a picture in it. The others that scripts have are names and links to click on."""
    body = program.get("/docs-assets/redoc.standalone.js")[1]
    assert b"cdn.redoc.ly" not in body and body.count(b"docs-assets/logo.svg") == 1
    style = program.get("/docs-assets/swagger-ui.css")[1]
    assert not re.search(rb"url\([\"']?https?:|@import", style)
    assert b'"validatorUrl": null' in program.get("/docs")[1]


def test_what_is_no_asset(program: Program) -> None:
    for name in ("nothing.js", "../setup.cfg", "%2e%2e/core.py", "core.py"):
        assert program.get(f"/docs-assets/{name}")[0] == 404


@needs_chromium
@pytest.mark.parametrize("page", SHOWN)
def test_a_browser_without_internet_shows_it(program: Program, page: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        browser.open(f"http://{program.server.address}{page}")
        browser.wait_for(f"{SHOWN[page]} >= 2")
        browser.wait_for("document.body.innerText.includes('The small application')")
        browser.wait_for("document.body.innerText.includes('/length')")
        browser.screenshot(tmp_path / "page.png")
        outside = [url for url in browser.requested if not url.startswith(
            (f"http://{program.server.address}/", "data:", f"blob:http://{program.server.address}/"))]
        assert outside == [] and browser.complaints == []
