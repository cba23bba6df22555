"""``resampler=soxr``: the call's audio through libsoxr on its way to the wire.

The compiled core converts at once and on its own; this way takes Python, and up to 0.2 s of audio is held
back, for those who prefer its spectrum. The bugs write to a ring of the call's own rate, the source; the dispatcher
moves it on. A codec that changes during the call is brought to the source's rate by the compiled core.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import soxr
from numpy.typing import NDArray

from ...realtime.core import Core, Worker
from ...realtime.path import MediaPath
from ...realtime.path_format import PathFormat

_CHUNK_MS = 10  # the shortest frame there is: the dispatcher is told of every frame


class Conversion:
    """From one capture ring to another; only on the dispatcher."""

    def __init__(self, core: Core, worker: Worker, form: PathFormat, rate: int, target: MediaPath) -> None:
        """`form` is that of `target`; `rate` (Hz) is the call's. Raise CoreFull as `Core.open_source` does."""
        self.source = core.open_source(replace(form, rate=rate, chunk_ms=_CHUNK_MS), worker)
        self._target = target
        self._stream = soxr.ResampleStream(rate, form.rate, form.channels, dtype="int16", quality="VHQ")

    def open(self) -> None:
        """Let it flow."""
        self.source.open_media()

    def attend(self) -> None:
        """Move on what has been captured."""
        samples = self.source.take_capture()
        if len(samples):
            self._put(self._stream.resample_chunk(samples))

    def flush(self) -> None:
        """No more is captured: move on the rest, and what the resampler holds back."""
        samples = self.source.take_capture()
        self._put(self._stream.resample_chunk(samples, last=True))

    def _put(self, samples: NDArray[np.int16]) -> None:
        if len(samples):
            self._target.put_capture(samples.reshape(-1, self._target.format.channels))
