"""The media streams of telephony platforms: servers written for one work with a call here. One file a platform.

    event_messages.py   what Twilio's way and its relatives share
    twilio.py signalwire.py telnyx.py exotel.py plivo.py    those
    vonage.py jambonz.py asterisk.py audiohook.py           audio in binary messages
    audiohook_signature.py                                  how the latter's clients are known
"""

from __future__ import annotations

from .asterisk import ASTERISK, ASTERISK_JSON
from .audiohook import AUDIOHOOK
from .exotel import EXOTEL
from .jambonz import JAMBONZ
from .plivo import PLIVO
from .signalwire import SIGNALWIRE
from .telnyx import TELNYX
from .twilio import TWILIO
from .vonage import VONAGE

__all__ = ["PLATFORMS"]

PLATFORMS = (TWILIO, TELNYX, PLIVO, EXOTEL, SIGNALWIRE, VONAGE, JAMBONZ, ASTERISK, ASTERISK_JSON, AUDIOHOOK)
