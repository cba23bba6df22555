"""The border to FreeSWITCH: the only package that knows its C functions, and (with the simulator) that uses
ctypes.

`Switch` is the door. Every C function we call stands in `signatures`, every structure we touch in
`layouts`.
"""

from __future__ import annotations

from .codecs import CodecFormat, L16Codec
from .constants import BugEvent, BugFlag, ChannelState, LogLevel
from .events import Channel, ChannelSnapshot
from .library import Library, Resolver
from .modules import Application, Registration
from .sessions import Session
from .switch import Switch

__all__ = [
    "Application", "BugEvent", "BugFlag", "Channel", "ChannelSnapshot", "ChannelState", "CodecFormat", "L16Codec",
    "Library", "LogLevel", "Registration", "Resolver", "Session", "Switch",
]
