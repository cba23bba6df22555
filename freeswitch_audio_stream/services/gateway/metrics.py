"""What the gateway counts, in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

from collections import Counter
from typing import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "audio_stream_gateway_"
COUNTERS: Mapping[str, str] = {
    "sessions_created_total": "Sessions that were created.",
    "sessions_ended_total": "Sessions that were ended by their client.",
    "sessions_expired_total": "Sessions that were idle for too long.",
    "agents_failed_total": "Agents that could not go on.",
    "chunks_total": "Pieces of callers' audio that were accepted.",
    "received_audio_bytes_total": "Bytes of callers' audio that were accepted.",
    "sent_audio_bytes_total": "Bytes of agents' audio in answers.",
    "clears_total": "Orders to discard what has not been played.",
    "refusals_total": "Requests that were refused, of any kind.",
}
GAUGES: Mapping[str, str] = {
    "sessions": "Sessions that there are.",
    "polls_waiting": "Polls that wait for an agent to say something.",
    "agents_running": "Agents that run in this process.",
    "dropped_bytes": "Bytes of agents' audio that nobody fetched, and that were dropped.",
}


class Metrics:
    """On the event loop."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, name: str, number: int = 1) -> None:
        """Add to one of `COUNTERS`."""
        self.counts[name] += number

    def text(self, gauges: Mapping[str, int]) -> str:
        """Return all of `COUNTERS`, and `gauges`, which are those of `GAUGES`."""
        rows = [(name, "counter", text, self.counts[name]) for name, text in COUNTERS.items()]
        rows += [(name, "gauge", text, gauges[name]) for name, text in GAUGES.items()]
        return "".join(f"# HELP {_PREFIX}{name} {text}\n# TYPE {_PREFIX}{name} {kind}\n{_PREFIX}{name} {value}\n"
                       for name, kind, text, value in rows)
