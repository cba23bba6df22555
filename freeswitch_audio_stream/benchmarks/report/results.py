"""What a subcommand found out: lines for a person, and numbers for JSON and the plot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

Cell = str | float | int | None


@dataclass
class Table:
    """Rows under headings; a float is shown with as many digits as matter."""

    title: str
    headings: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What has to be known to read it."""

    def text(self) -> str:
        """The table as it is printed."""
        cells = [[str(heading) for heading in self.headings]] + [[shown(cell) for cell in row] for row in self.rows]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.headings))]
        lines = ["  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                           for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in cells]
        lines.insert(1, "-" * len(max(lines, key=len)))
        return "\n".join([self.title, "", *lines, *self.notes])

    def records(self) -> list[dict[str, Cell]]:
        """The rows, each with its headings, for JSON; what is not a number becomes null."""
        return [{heading: None if cell != cell else cell for heading, cell in zip(self.headings, row)}
                for row in self.rows]


@dataclass
class Results:
    """Of one subcommand."""

    command: str
    tables: list[Table]
    rounds: list[dict[str, Any]] = field(default_factory=list)
    """Every single measurement, for JSON."""
    curves: list["Curve"] = field(default_factory=list)


@dataclass
class Curve:
    """Something against the number of streams, or whatever `across` says, for the plot."""

    panel: str
    """What is on the vertical axis, with its unit; curves with the same are drawn together."""
    label: str
    x: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    across: str = "streams"

    def add(self, x: float, value: float) -> None:
        """One more point."""
        self.x.append(x)
        self.values.append(value)


def shown(cell: Cell) -> str:
    """A cell as text: three significant digits, a dash for nothing."""
    if cell is None or cell != cell:
        return "-"
    if isinstance(cell, float):
        size = abs(cell)
        return f"{cell:.0f}" if size >= 100 else f"{cell:.1f}" if size >= 10 else f"{cell:.2f}" if size >= 1 \
            else f"{cell + 0.0 if size >= 0.0005 else 0.0:.3f}"
    return str(cell)
