"""RTP packets that could not simply be played: told as they come, and counted."""

from __future__ import annotations

from ...realtime.counters import Packets
from ...realtime.path import MediaPath
from .reports import Reporter


class PacketReport:
    """Of one stream; only on its dispatcher, but for `statistics`."""

    def __init__(self, path: MediaPath, reporter: Reporter) -> None:
        self._path = path
        self._reporter = reporter
        self._seen = Packets(0, 0, 0, 0, 0)

    def attend(self) -> None:
        """Tell of what has been counted since the last call."""
        now = self._path.packets()
        new = Packets(*(count - before for count, before in zip(now, self._seen)))
        self._seen = now
        # What was lost is counted, and not told: the server may have meant it so, and we cannot help it.
        if new.malformed:
            self._reporter.error("rtp_malformed", "a message was no RTP packet (RFC 3550), and was dropped: begin each "
                                 "binary message with an RTP header of version 2, and send at most 16384 bytes",
                                 times=new.malformed)
        if new.unknown:
            self._reporter.error("rtp_payload_type", "an RTP packet of another payload type than 0 (PCMU), 8 (PCMA) "
                                 "and 11 (L16, 44100 Hz) was dropped", times=new.unknown)
        if new.late:
            self._reporter.error("rtp_late", "an RTP packet came too late, or far from the sequence, and was dropped: "
                                 "number them one by one", times=new.late)
        if new.repeated:
            self._reporter.error("rtp_repeated", "an RTP packet came twice, and was dropped: number them one by one",
                                 times=new.repeated)

    def statistics(self) -> dict[str, int]:
        """Return the counters, {} if the stream has none. Any thread."""
        if self._path.format.encapsulation != "rtp":
            return {}
        packets = self._path.packets()
        return {"rtpMalformed": packets.malformed, "rtpUnknown": packets.unknown, "rtpLost": packets.lost,
                "rtpLate": packets.late, "rtpRepeated": packets.repeated}
