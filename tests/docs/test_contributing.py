"""The map of the house is that of the package, and every file that the page names is there."""

from __future__ import annotations

import re

from tests.test_layers import LAYERS

from .code import PACKAGE
from .pages import CHECKOUT, pages, table, words

PAGE = pages()["contributing.md"]


def test_the_map_has_every_layer_in_order() -> None:
    mapped = [name.removesuffix("/").removesuffix(".py")
              for row in table("In `freeswitch_audio_stream/`", "What is there") for name in words(row[0])]
    assert mapped == list(LAYERS)


def test_folders_within_folders_are_there() -> None:
    for row in table("In `freeswitch_audio_stream/`", "What is there"):
        for name in words(row[1]):
            if name.endswith(("/", ".py")):
                assert (PACKAGE / words(row[0])[0] / name).exists(), name


def test_files_that_are_named_are_there() -> None:
    text = re.sub(r"^```.*?^```", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    named = {name for name in words(text) if re.fullmatch(r"[\w./]*/[\w./]*|\w+\.(py|cfg|md)", name)}
    named -= {name for row in table("In `freeswitch_audio_stream/`", "What is there") for name in words(row[1])}
    assert len(named) > 15
    places = (CHECKOUT, PACKAGE, PACKAGE / "engine")
    assert [name for name in named - {"docs/_build"} if not any((place / name).exists() for place in places)] == []
