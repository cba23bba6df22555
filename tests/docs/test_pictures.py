"""The drawings say what the code does, and can be read in dark and light, by whoever sees and by whoever does not."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from freeswitch_audio_stream.engine.events.reports import EVENTS
from freeswitch_audio_stream.engine.states import TRANSITIONS

from .pages import DOCS, README, pages

DRAWINGS = sorted((DOCS / "images").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def drawing(name: str) -> ElementTree.Element:
    return ElementTree.parse(DOCS / "images" / f"{name}.svg").getroot()


def texts(name: str) -> list[str]:
    return ["".join(node.itertext()) for node in drawing(name).iter(f"{SVG}text")]


def test_states() -> None:
    """The same states and steps as in the code: an arrow says where it begins and ends."""
    arrows = {(path.get("data-from"), path.get("data-to")) for path in drawing("states").iter(f"{SVG}path")
              if path.get("data-from")}
    assert arrows == {(state.value, after.value) for state, steps in TRANSITIONS.items() for after in steps.values()
                      if after is not state}
    assert {state.value for state in TRANSITIONS} <= set(texts("states"))


def test_events_of_the_sequence() -> None:
    named = [text.removeprefix("event ") for text in texts("sequence") if text.startswith("event ")]
    assert len(named) >= 7 and set(named) <= set(EVENTS)


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.stem)
def test_drawings_have_words_and_both_themes(file: Path) -> None:
    root = ElementTree.parse(file).getroot()
    for name in ("title", "desc"):
        node = root.find(f"{SVG}{name}")
        assert node is not None and node.text
    assert "prefers-color-scheme: dark" in file.read_text()


def test_pictures_are_small_and_each_is_shown_somewhere() -> None:
    shown = {Path(target).name for text in [*pages().values(), README.read_text()]
             for target in re.findall(r"!\[[^\]]+\]\((\S+)\)", text)}
    files = {file.name: file.stat().st_size for file in (DOCS / "images").iterdir()}
    assert set(files) <= shown
    assert max(files.values()) < 200_000
