"""RTP packets that could not simply be played: told as they come, and counted."""

from __future__ import annotations

from ..realtime.path import MediaPath, Packets
from .reports import Reporter

_TEXTS = {
    "malformed": ("rtp_malformed", "messages that are no RTP packets (RFC 3550) came, and were dropped: begin each binary "
                  "message with an RTP header of version 2, and send at most 16384 bytes"),
    "unknown": ("rtp_payload_type", "RTP packets of another payload type than 0 (PCMU), 8 (PCMA) and 11 (L16, 44100 Hz) "
                "came, and were dropped"),
    "late": ("rtp_late", "RTP packets came too late, or far from the sequence, and were dropped: number them one by one"),
    "repeated": ("rtp_repeated", "RTP packets came twice, and were dropped: number them one by one"),
}
"""By the counter: kind and text of the stream_error. That packets are lost is in nobody's hand here: it is counted."""


class PacketReport:
    """Of one stream; only on its dispatcher, but for `statistics`."""

    def __init__(self, path: MediaPath, reporter: Reporter) -> None:
        self._path = path
        self._reporter = reporter
        self._seen = Packets(0, 0, 0, 0, 0)

    def attend(self) -> None:
        """Tell of what has been counted since the last call."""
        now, before = self._path.packets(), self._seen
        self._seen = now
        for name, (kind, text) in _TEXTS.items():
            count = getattr(now, name) - getattr(before, name)
            if count > 0:
                self._reporter.error(kind, text, times=count)

    def statistics(self) -> dict[str, int]:
        """The counters, where the stream has any. Any thread."""
        if self._path.format.encapsulation != "rtp":
            return {}
        packets = self._path.packets()
        return {"rtpMalformed": packets.malformed, "rtpUnknown": packets.unknown, "rtpLost": packets.lost,
                "rtpLate": packets.late, "rtpRepeated": packets.repeated}
