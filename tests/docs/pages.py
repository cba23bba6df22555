"""Reading the documentation: its pages, their tables, sections and code blocks."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Iterable

CHECKOUT = Path(__file__).parent.parent.parent
DOCS = CHECKOUT / "docs"
EXAMPLES = DOCS / "examples"
README = CHECKOUT / "README.md"

Row = list[str]
Table = list[Row]


@lru_cache(maxsize=None)
def pages() -> dict[str, str]:
    """Every page of the site by its path below ``docs``, such as ``howto/install.md``."""
    found = {str(file.relative_to(DOCS)): file.read_text() for file in sorted(DOCS.rglob("*.md"))
             if not any(part.startswith("_") for part in file.relative_to(DOCS).parts)}
    assert found
    return found


# Markdown

def words(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def plain(cell: str) -> str:
    """A cell without its markup."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell).replace("`", "").replace("\\|", "|").strip()


def _cells(line: str) -> Row:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def table(first_header: str, *more: str, among: Iterable[str] | None = None) -> Table:
    """The rows of the one table, of all pages or these texts, whose header begins with these cells."""
    wanted = [first_header, *more]
    found = [lines[number + 2:] for lines in map(str.splitlines, among or pages().values())
             for number, line in enumerate(lines[:-1])
             if _cells(line)[:len(wanted)] == wanted and lines[number + 1].startswith("|---")]
    assert len(found) == 1, f"{len(found)} tables begin with {wanted}"
    return [_cells(line) for line in takewhile(lambda line: line.startswith("|"), found[0])]


def section(page: str, heading: str) -> str:
    """What stands under a heading of a page, up to the next of its level or above."""
    level = heading.index(" ")
    after = pages()[page].split(f"\n{heading}\n")[1]
    return re.split(rf"^#{{1,{level}}} ", after, flags=re.MULTILINE)[0]


def blocks(language: str, text: str | None = None) -> list[str]:
    """The code blocks of a language: of a text, or of all pages and the README."""
    whole = text if text is not None else "\n".join([*pages().values(), README.read_text()])
    return re.findall(rf"^```{language}\n(.*?)^```", whole, re.DOTALL | re.MULTILINE)


def flat(page: str) -> str:
    """A page as one line, so that a sentence is found wherever it is broken."""
    return " ".join(pages()[page].split())


# Examples

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
