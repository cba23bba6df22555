"""Tables and what leaves the program: text, JSON, a picture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from freeswitch_audio_stream.benchmarks.options import parse
from freeswitch_audio_stream.benchmarks.report import files as report
from freeswitch_audio_stream.benchmarks.report.results import Cell, Curve, Results, Table, shown


@pytest.mark.parametrize("cell, text", [
    (None, "-"), (float("nan"), "-"), ("text", "text"), (7, "7"), (0.0, "0.000"), (-0.0001, "0.000"), (0.1234, "0.123"),
    (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (-12.34, "-12.3"), (99999.0, "99999")])
def test_three_digits_are_shown(cell: Cell, text: str) -> None:
    assert shown(cell) == text


def example() -> Results:
    table = Table("Title", ("", "µs"), [("one", 1.5), ("another", float("nan"))], ["a note"])
    curves = [Curve("cost (µs)", "ours", [50, 400], [20.0, 18.0]), Curve("cost (µs)", "peer", [50, 400], [40.0, 44.0]),
              Curve("level (dB)", "ours", [0.1, 1.5], [0.0, -60.0], "frequency")]
    return Results("cost", [table], [{"label": "one", "totals": [1.0, 2.0]}], curves)


def test_columns_line_up() -> None:
    lines = example().tables[0].text().splitlines()
    assert lines == ["Title", "", "           µs", "-------------", "one      1.50", "another     -", "a note"]


def test_json_holds_everything(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    report.write_json(file, example(), asdict(parse(["cost", "--json", str(file)])), report.surroundings())
    document = orjson.loads(file.read_bytes())
    assert document["tables"][0]["rows"] == [{"": "one", "µs": 1.5}, {"": "another", "µs": None}]
    assert document["rounds"] == [{"label": "one", "totals": [1.0, 2.0]}]
    assert document["options"]["json"] == str(file) and len(document["options"]["works"]) == 24
    assert document["environment"]["cores"] >= 1
    assert document["curves"][0]["values"] == [20.0, 18.0]


@pytest.mark.parametrize("curves", [0, 1, 3])
def test_the_plot_is_a_png(tmp_path: Path, curves: int) -> None:
    pytest.importorskip("matplotlib")
    results = example()
    results.curves = results.curves[:curves]
    report.plot(tmp_path / "out.png", results)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
