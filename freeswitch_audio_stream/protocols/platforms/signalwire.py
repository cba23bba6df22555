"""SignalWire's cXML <Stream>: ``signalwire``. Twilio's messages, with ids that are UUIDs and linear audio as well.

G.711 mu-law at 8000 Hz, as SignalWire's codec PCMU@8000h; linear samples at 16000 or 24000 Hz, as L16@16000h and
L16@24000h. SignalWire's page on <Stream> names the codecs (L16@24000h and L16@16000h, default PCMU@8000h) and shows
a start message for mu-law alone; public servers for its linear audio know the rate from their own settings and do not
read ``mediaFormat``. So ``audio/x-l16`` is the name of Plivo's, and not verified for SignalWire.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...audio import Encoding
from ..messages import StreamInfo
from .event_messages import EventPlatform
from .twilio import TwilioSession


@dataclass(frozen=True)
class SignalWire(EventPlatform):
    """The platform."""

    def open(self, info: StreamInfo) -> TwilioSession:
        return TwilioSession(info, self)


SIGNALWIRE = SignalWire("signalwire", formats={
    (Encoding.MULAW, 8000): "audio/x-mulaw",
    (Encoding.L16, 16000): "audio/x-l16",
    (Encoding.L16, 24000): "audio/x-l16"})
