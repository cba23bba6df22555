"""A soak as one HTML file, which needs nothing else."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import Callable, Sequence

from .faults import Fault
from .line import Line
from .resources import Sample
from .verdict import Promise

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem;
color: #1d2733; background: #fff }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 } th, td { text-align: left; padding: .3rem .6rem;
border-bottom: 1px solid #d5dbe1; vertical-align: top } td.number, th.number { text-align: right }
.kept { color: #17663a } .broken { color: #b3261e; font-weight: 600 } .unknown { color: #6b7682 }
svg { max-width: 100%; height: auto }
"""
_COLUMNS = ("Line", "Kind", "At the server, s", "lost", "repeated", "wrong", "At the caller, s", "lost",
            "repeated", "wrong", "silence, s")
_WORDS = {True: ("kept", "kept"), False: ("broken", "BROKEN"), None: ("unknown", "not told")}


def write(file: Path, title: str, promises: Sequence[Promise], samples: Sequence[Sample], faults: Sequence[Fault],
          lines: Sequence[Line]) -> None:
    """Write the report."""
    kept = _table(("Promise", "", "Figures"), [(promise.text, _WORDS[promise.kept], promise.figures)
                                               for promise in promises])
    streams = _table(_COLUMNS, [_row(line) for line in lines], numbers_from=2)
    done = _table(("After, s", "Line", "What"), [
        (f"{fault.seconds:.0f}", "all" if fault.line is None else str(fault.line), fault.name) for fault in faults])
    parts = [f"<h1>{html.escape(title)}</h1>", kept, _plots(samples, faults), "<h2>Streams, samples</h2>", streams,
             "<h2>Faults</h2>", done]
    file.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
                    f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n")


def _row(line: Line) -> tuple[str, ...]:
    server, caller = (side.follower.tally for side in (line.heard_by_server, line.heard_by_caller))
    rate = line.kind.rate
    return (str(line.number), line.kind.name, f"{server.exact / rate:,.1f}", str(server.lost), str(server.repeated),
            str(server.wrong), f"{caller.exact / rate:,.1f}", str(caller.lost), str(caller.repeated), str(caller.wrong),
            f"{caller.silent / rate:.1f}")


def _table(head: Sequence[str], rows: Sequence[Sequence[str | tuple[str, str]]], numbers_from: int = 99) -> str:
    def cell(index: int, value: str | tuple[str, str], tag: str) -> str:
        name, text = ("number" if index >= numbers_from else "", value) if isinstance(value, str) else value
        return f'<{tag} class="{name}">{html.escape(text)}</{tag}>'
    body = ["".join(cell(index, value, "td") for index, value in enumerate(row)) for row in rows]
    return (f"<table><tr>{''.join(cell(index, text, 'th') for index, text in enumerate(head))}</tr>"
            f"{''.join(f'<tr>{row}</tr>' for row in body)}</table>")


def _plots(samples: Sequence[Sample], faults: Sequence[Fault]) -> str:
    from matplotlib.figure import Figure  # only a report needs it

    hours = [sample.seconds / 3600 for sample in samples]
    rows: list[tuple[str, list[tuple[str, Callable[[Sample], float]]]]] = [
        ("memory, MiB", [("", lambda sample: sample.memory / 2**20)]),
        ("descriptors and threads", [("descriptors", lambda sample: sample.descriptors),
                                     ("threads", lambda sample: sample.threads)]),
        ("lateness p99, ms", [("at the server", lambda sample: sample.lateness[0]),
                              ("at the caller", lambda sample: sample.lateness[1])])]
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True)
    for axis, (label, curves) in zip(axes, rows):
        for name, value in curves:
            axis.plot(hours, [value(sample) for sample in samples], label=name or None, linewidth=1.2)
        for fault in faults:
            axis.axvline(fault.seconds / 3600, color="#b3261e" if fault.line is None else "#9aa4ad", linewidth=0.5,
                         alpha=0.5)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        if len(curves) > 1:
            axis.legend(loc="upper left")
        if "lateness" in label:
            axis.set_yscale("symlog", linthresh=10)
        axis.set_ylim(0, 1.1 * max(1.0, *(value(sample) for _, value in curves for sample in samples)))
    axes[-1].set_xlabel("hours; grey lines: a fault of one stream, red ones: of all")
    picture = io.StringIO()
    figure.savefig(picture, format="svg")
    return picture.getvalue()[picture.getvalue().index("<svg"):]
