"""Results to the terminal, to JSON and to a picture."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numba
import numpy as np
import orjson

from ... import __version__
from .results import Curve, Results

_COLUMNS = 3


def surroundings() -> dict[str, Any]:
    """What the figures depend on besides the program."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"package": __version__, "processor": model, "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "python": platform.python_version(), "numba": numba.__version__,
            "numpy": np.__version__, "load_before": os.getloadavg()[0]}


def write_json(file: Path, results: Results, options: dict[str, Any], environment: dict[str, Any]) -> None:
    """Everything, single rounds included."""
    document = {"command": results.command, "options": options, "environment": environment,
                "tables": [{"title": table.title, "rows": table.records(), "notes": table.notes}
                           for table in results.tables],
                "rounds": results.rounds,
                "curves": [vars(curve) for curve in results.curves]}
    file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str))


def plot(file: Path, results: Results) -> None:
    """The curves, one panel for each quantity."""
    # It takes a second to load, which only a picture is worth.
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    panels: dict[str, list[Curve]] = {}
    for curve in results.curves:
        panels.setdefault(curve.panel, []).append(curve)
    columns = min(_COLUMNS, max(1, len(panels)))
    lines = max(1, -(-len(panels) // columns))
    figure, axes = pyplot.subplots(lines, columns, figsize=(7 * columns, 6.5 * lines), squeeze=False)
    # The same in every panel, so that one can be read beside the other.
    colors = {label: f"C{number}" for number, label in enumerate(dict.fromkeys(
        curve.label for curve in results.curves))}
    for axis, (panel, curves) in zip(axes.flat, panels.items()):
        for curve in curves:
            axis.plot(curve.x, curve.values, "--" if curve.label.startswith("peer ") else "-", marker="o", markersize=3,
                      label=curve.label, color=colors[curve.label])
        axis.set(xlabel=curves[0].across, ylabel=panel)
        if all(value >= 0 for curve in curves for value in curve.values):
            axis.set_ylim(0, None)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small", loc="upper left", bbox_to_anchor=(0, -0.1), ncols=2, frameon=False)
    for axis in list(axes.flat)[len(panels):]:
        axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
