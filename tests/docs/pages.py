"""Reading the documentation: its pages, their tables, sections and code blocks."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
DOCS = CHECKOUT / "docs"
EXAMPLES = DOCS / "examples"
README = CHECKOUT / "README.md"


@lru_cache(maxsize=None)
def pages() -> dict[str, str]:
    """Every page of the site by its path below ``docs``, such as ``howto/install.md``."""
    found = {str(file.relative_to(DOCS)): file.read_text() for file in sorted(DOCS.rglob("*.md"))
             if not any(part.startswith("_") for part in file.relative_to(DOCS).parts)}
    assert found
    return found


def included_examples() -> set[str]:
    """The files of ``docs/examples`` that pages show."""
    return {Path(name).name for page in pages().values()
            for name in re.findall(r"^:{3,}\{literalinclude\} (\S+)$", page, re.MULTILINE)}
