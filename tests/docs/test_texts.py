"""Texts that users may see are those of the code."""

from __future__ import annotations

import pytest

from .code import is_said
from .pages import Row, plain, table


@pytest.mark.parametrize("row", table("Text", "Do") + table("The log says", "Do"),
                         ids=lambda row: plain(row[0])[:40])
def test_texts_of_troubleshooting_are_told_somewhere(row: Row) -> None:
    assert is_said(plain(row[0]))
