"""The counters of a stream."""

from __future__ import annotations

import time
from typing import Any

from ..connection.reconnecting import Reconnecting
from ..media.paths import MediaPaths
from .agent_turns import AgentTurns
from .packet_report import PacketReport
from .reports import Reporter


class StreamStatistics:
    """Any thread."""

    def __init__(self, rate: int, media: MediaPaths, packets: PacketReport, reconnecting: Reconnecting,
                 reporter: Reporter, turns: AgentTurns) -> None:
        """The stream begins now; `rate` (Hz) is that of the audio it sends."""
        self._rate = rate
        self._media = media
        self._packets = packets
        self._reconnecting = reconnecting
        self._reporter = reporter
        self._turns = turns
        self._began = time.monotonic()

    def fields(self) -> dict[str, Any]:
        """Return the counters, as events and `status` show them."""
        counters = self._media.statistics()
        frame, play_rate = max(1, self._media.path.format.chunk), max(1, counters.play_rate)
        return {
            "seconds": round(time.monotonic() - self._began, 3),
            "framesCaptured": self._media.capture.statistics().captured_frames,
            "msCaptured": 1000 * counters.captured // self._rate,
            "messagesSent": counters.messages_sent, "bytesSent": counters.bytes_sent,
            "messagesReceived": counters.messages_received, "bytesReceived": counters.bytes_received,
            "framesDropped": -(-counters.dropped // frame),
            "framesSkipped": -(-counters.skipped // frame),
            "playbackDroppedMs": 1000 * counters.play_dropped // play_rate,
            "playbackCaughtUpMs": 1000 * counters.caught_up // play_rate,
            "msPlayed": 1000 * counters.played // play_rate,
            "captureQueueMs": 1000 * counters.waiting // self._rate,
            "unackedMs": 1000 * counters.unacknowledged // self._rate,
            "playbackQueueMs": 1000 * counters.play_waiting // play_rate,
            "reconnects": self._reconnecting.count, "errors": self._reporter.errors, **self._packets.statistics(),
            **self._turns.fields(),
        }
