"""What the benchmark cannot do."""

from __future__ import annotations

from ..errors import AudioStreamError


class BenchError(AudioStreamError):
    """A measurement that could not be made, in one sentence."""
