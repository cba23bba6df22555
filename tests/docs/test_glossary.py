"""The glossary is in order, and the pages' numbers for sizing are those of the benchmarks."""

from __future__ import annotations

import re

from .pages import pages, plain, table


def test_terms_are_in_order() -> None:
    terms = re.findall(r"^## (.*)$", pages()["glossary.md"], re.MULTILINE)
    keys = [re.sub(r"[^a-z0-9 ]", "", term.lower()) for term in terms]
    assert len(terms) > 40 and keys == sorted(keys)


def test_every_term_is_explained() -> None:
    entries = re.split(r"^## .*$", pages()["glossary.md"], flags=re.MULTILINE)[1:]
    assert min(len(entry.strip()) for entry in entries) > 30


def test_figures_for_sizing_are_those_of_the_results() -> None:
    told = {row[0]: [float(number) for number in re.findall(r"\d+(?:\.\d+)?", row[1])]
            for row in table("What", "On those 2 cores")}
    costs = [float(cell) for row in table("Work", "50 streams") if not row[0].startswith(("the peer", "bare"))
             for cell in (row[1], row[3], row[5])]
    low, high = min(costs), max(costs)
    assert told["CPU of a stream"] == [round(low), round(high), 20, round(low / 200, 2), round(high / 200, 2)]
    results = {plain(row[0]): row[1] for row in table("What", "Ours")}
    streams, = (value for name, value in results.items() if name.startswith("streams on these 2 cores"))
    memory = sorted(int(value.split()[0]) for name, value in results.items() if value.endswith("KiB"))
    assert told["streams until frames come late, with the server on the same machine"] == [float(streams)]
    assert told["resident memory of a stream"] == [memory[0], memory[-1]]
