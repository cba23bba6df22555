"""The media streams of telephony platforms: servers written for one work with a call here. One file a platform.

    event_messages.py   what Twilio's way and its relatives share
    twilio.py signalwire.py telnyx.py exotel.py plivo.py
"""

from __future__ import annotations

from .exotel import EXOTEL
from .plivo import PLIVO
from .signalwire import SIGNALWIRE
from .telnyx import TELNYX
from .twilio import TWILIO

__all__ = ["PLATFORMS"]

PLATFORMS = (TWILIO, TELNYX, PLIVO, EXOTEL, SIGNALWIRE)
