"""For all tests: examples of Hypothesis have no deadline, because a busy machine is not a failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("product", deadline=None)
settings.load_profile("product")
