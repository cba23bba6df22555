"""How long callers wait: from the end of what they say to the first sample of the answer that they hear."""

from __future__ import annotations

import time
from typing import Any

from .reports import Reporter


class AgentTurns:
    """Of one stream; only on its dispatcher, but for `fields`. Without a server that tells when the caller has stopped
    to speak there are none.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._stopped_at: float | None = None
        self._count = 0
        self._last = self._longest = self._total = 0

    def caller_stopped(self, silence_ms: int) -> None:
        """The caller said nothing more for `silence_ms` milliseconds."""
        self._stopped_at = time.monotonic() - silence_ms / 1000

    def answer_heard(self) -> None:
        """The caller hears something after silence."""
        if self._stopped_at is None:
            return
        self._last = round(1000 * (time.monotonic() - self._stopped_at))
        self._stopped_at = None
        self._count += 1
        self._total += self._last
        self._longest = max(self._longest, self._last)
        self._reporter.fire("agent_turn", turn=self._count, latencyMs=self._last)

    def fields(self) -> dict[str, Any]:
        """Return the counters, as events and `status` show them; none before the first answer. Any thread."""
        if not self._count:
            return {}
        return {"agentTurns": self._count, "agentLatencyMs": self._last,
                "agentLatencyMeanMs": round(self._total / self._count), "agentLatencyMaxMs": self._longest}
