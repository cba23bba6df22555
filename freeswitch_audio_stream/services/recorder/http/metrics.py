"""What there is to measure, in the text format of Prometheus."""

from __future__ import annotations

from ..sessions.sessions import Sessions

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(sessions: Sessions) -> str:
    """Return all metrics."""
    count = sessions.counters
    rows = (("sessions_active", "gauge", "Sessions that are active.", len(sessions.active)),
            ("connections", "gauge", "Connections to sessions.",
             sum(len(session.inputs) for session in sessions.active.values())),
            ("sessions_degraded", "gauge", "Active sessions that miss something or were acknowledged late.",
             sum(bool(session.degraded) for session in sessions.active.values())),
            ("sessions_total", "counter", "Sessions begun.", count.sessions),
            ("sessions_failed_total", "counter", "Sessions that ended with an error.", count.failures),
            ("sessions_expired_total", "counter", "Recordings deleted because of their age.", count.expired),
            ("webhooks_delivered_total", "counter", "Webhooks that were taken.", sessions.webhooks.delivered),
            ("webhooks_failed_total", "counter", "Attempts of webhooks that failed.", sessions.webhooks.failed),
            ("chunks_total", "counter", "Chunks acknowledged.", count.chunks),
            ("received_bytes_total", "counter", "Bytes of those chunks.", count.received))
    return "".join(f"# HELP recorder_{name} {words}\n# TYPE recorder_{name} {kind}\nrecorder_{name} {value}\n"
                   for name, kind, words, value in rows)
