"""One stream: waiting, connecting, streaming, reconnecting, draining, closing, and the events on the way.

    stream.py             the stream as others see it: commands, digits, what the core reports
    parts.py              what it is made of, and how the parts are joined
    attaching.py          its beginning: bugs on the call, as soon as that has media
    connection_events.py  what comes of its connection: up, lost, made again
    end.py                its end: what is buffered is sent, the server is told, everything is let go of
"""

from .parts import StreamSetup
from .stream import Stream

__all__ = ["Stream", "StreamSetup"]
