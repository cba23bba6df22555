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
            for name in re.findall(r"^:{3,}\{literalinclude\} (\S*examples/\S+)$", page, re.MULTILINE)}


def prepared(name: str, folder: Path, **replacements: str) -> str:
    """Put an example into a folder; each text on the left stands in it once and is replaced by that on the right."""
    text = (EXAMPLES / name).read_text()
    for its, ours in replacements.items():
        assert text.count(its) == 1, f"{name} has {text.count(its)} times {its}"
        text = text.replace(its, ours)
    (folder / name).write_text(text)
    return name


def prepared_for_node(name: str, folder: Path, node_modules: Path, **replacements: str) -> str:
    (folder / "node_modules").symlink_to(node_modules)
    return prepared(name, folder, **replacements)
