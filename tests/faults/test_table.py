"""The table and the tests are of one piece, and so is the documentation's page."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from ..docs.pages import DOCS
from .table import FAULTS, KINDS, TABLE, lines


def test_each_fault_has_one_test() -> None:
    """Which runs once for each kind of stream: no cell is without one."""
    texts = [file.read_text() for file in Path(__file__).parent.glob("test_*.py")]
    tested = Counter(name for text in texts for name in re.findall(r'^@fault\("([^"]+)"\)\ndef test_', text, re.M))
    assert tested == Counter(dict.fromkeys(FAULTS, 1)) == Counter(dict.fromkeys((row.fault for row in TABLE), 1))


def test_no_cell_stands_twice() -> None:
    cells = Counter((row.fault, kind) for row in TABLE for kind in row.kinds)
    assert set(cells.values()) == {1} and {kind for _, kind in cells} == set(KINDS)


def test_the_page_has_just_these_rows() -> None:
    page = (DOCS / "reference" / "faults.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| ")][1:] == lines()
