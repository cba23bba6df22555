"""The README is short, leads to the pages, and says nothing that they do not."""

from __future__ import annotations

import re

from freeswitch_audio_stream import __version__

from .pages import CHECKOUT, README, blocks, pages, table

TEXT = README.read_text()


def anchors(page: str) -> set[str]:
    """What a link to a page may name, as GitHub and the site make it of headings."""
    return {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 250


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", TEXT)
    assert len(links) > 15
    for path, anchor in links:
        assert (CHECKOUT / path).exists()
        if anchor:
            page = TEXT if not path else pages()[path.removeprefix("docs/")]
            assert anchor in anchors(page), f"{path}#{anchor}"


def test_it_leads_to_every_kind_of_page() -> None:
    for name in ("tutorial.md", "howto/index.md", "reference/index.md", "explanation/index.md", "glossary.md",
                 "contributing.md", "howto/change-over.md", "howto/troubleshooting.md"):
        assert f"(docs/{name})" in TEXT


def test_it_begins_with_the_two_commands() -> None:
    assert blocks("sh", TEXT)[0] == "./scripts/demo\n./scripts/test\n"


def test_it_has_three_examples() -> None:
    examples = TEXT.split("\n## Examples\n")[1].split("\n## ")[0]
    assert [len(blocks(language, examples)) for language in ("xml", "python", "sh")] == [1, 1, 1]


def test_its_figures_are_those_of_the_benchmarks() -> None:
    results = pages()["reference/benchmarks.md"].split("\n## Results\n")[1]
    for row in table("Of a stream", "This module", among=[TEXT]):
        numbers = re.findall(r"\d+(?:\.\d+)?", " ".join(row[1:]))
        assert len(numbers) == 2
        assert all(re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.]*\d)", results) for number in numbers), row


def test_the_version_is_the_newest_of_the_changelog() -> None:
    versions = re.findall(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__
