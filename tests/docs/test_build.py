"""The documentation site: Sphinx builds it without a warning, and its pages fetch nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import DOCS, pages

pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("sphinx", "myst_parser", "furo")),
    reason="Sphinx, MyST or furo is not installed: pip install '.[docs]'")]


def build(source: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Build as ``./scripts/docs`` does."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", str(source), str(output)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("site")
    done = build(DOCS, output)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


def test_every_page_is_built(site: Path) -> None:
    assert [name for name in pages() if not (site / name).with_suffix(".html").exists()] == []


def test_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    """Links to other sites there may be; what a browser loads by itself is of this one."""
    loaded = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*>"
                        r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|icon|preconnect))"
                        r"[^>]*href=[\"']?(?:https?:)?//"
                        r"|@import\b[^;]*//|url\([\"']?(?:https?:)?//")
    files = [file for kind in ("*.html", "*.css", "*.svg") for file in site.rglob(kind)]
    assert len(files) > len(pages())
    assert {str(file): loaded.findall(file.read_text()) for file in files if loaded.search(file.read_text())} == {}


def test_a_link_to_nowhere_fails_the_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "_static").mkdir(parents=True)
    (source / "conf.py").write_text((DOCS / "conf.py").read_text())
    (source / "_static" / "site.css").write_text("")
    (source / "index.md").write_text("# A page\n\n[elsewhere](missing.md) and [there](#no-such-heading)\n")
    done = build(source, tmp_path / "output")
    assert done.returncode != 0
    assert "missing.md" in done.stderr and "no-such-heading" in done.stderr


def test_the_script_builds_as_the_test_does() -> None:
    script = (DOCS.parent / "scripts" / "docs").read_text()
    assert "-m sphinx --fail-on-warning --keep-going" in script
