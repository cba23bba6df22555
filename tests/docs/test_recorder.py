"""The page of the recorder has its settings and endpoints, as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from freeswitch_audio_stream.services.recorder.http.app import make_app  # noqa: E402
from freeswitch_audio_stream.services.recorder.http.endpoints import Endpoints  # noqa: E402
from freeswitch_audio_stream.services.recorder.maintenance.commands import COMMANDS  # noqa: E402
from freeswitch_audio_stream.services.recorder.settings import AUDIO, SERVICE  # noqa: E402
from freeswitch_audio_stream.web.keys import Keys  # noqa: E402

PAGE = (Path(__file__).parents[2] / "docs/reference/recorder.md").read_text()


def test_settings() -> None:
    written = [line for line in PAGE.splitlines() if re.match(r"\| `[A-Z_]+` \|", line)]
    defaults = {row.variable: "empty" if row.default == "" else row.default for row in (*AUDIO.rows, *SERVICE.rows)}
    options = {row.variable: f"`--{row.name}`" if row.is_option else "none" for row in (*AUDIO.rows, *SERVICE.rows)}
    assert written == [f"| `{row.variable}` | {options[row.variable]} | {defaults[row.variable]} | {row.valid} | "
                       f"{row.doc} |" for row in (*AUDIO.rows, *SERVICE.rows)]


def test_endpoints() -> None:
    app = make_app(Endpoints(Keys({}), str, print))
    documented = set(re.findall(r"`(GET|POST|DELETE) (/[^`]*)`", PAGE))
    assert documented == {(method.upper(), path) for path, methods in app.openapi()["paths"].items()
                          for method in methods}


def test_commands() -> None:
    assert re.findall(r"^\| `recorder (\w+)[ `]", PAGE, re.MULTILINE) == list(COMMANDS)
