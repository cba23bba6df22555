"""The demo's picture: what each side heard, and the latency over time."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..audio import Samples

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend has to be chosen before)


def draw(file: Path, received: tuple[Samples, int], heard: tuple[Samples, int], latency: NDArray[np.float64],
         what: str, title: str) -> None:
    """Write a PNG. `latency` is float[n, 2]: seconds since the start, and milliseconds."""
    figure, (top, middle, bottom) = pyplot.subplots(3, 1, figsize=(11, 7), layout="constrained")
    figure.suptitle(title)
    _wave(top, *received, "what the server received", "tab:blue")
    _wave(middle, *heard, "what the caller heard", "tab:green")
    bottom.plot(latency[:, 0], latency[:, 1], color="tab:red", linewidth=0.8)
    bottom.set(title=what, xlabel="seconds", ylabel="ms", ylim=(0, max(1.0, 1.1 * float(latency[:, 1].max()))))
    bottom.grid(alpha=0.3)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _wave(axes: Axes, samples: Samples, rate: int, title: str, color: str) -> None:
    axes.plot(np.arange(len(samples)) / rate, samples / 32768, color=color, linewidth=0.4)
    axes.set(title=title, ylim=(-1, 1), xlim=(0, max(1, len(samples)) / rate))
    axes.grid(alpha=0.3)
