"""The embedded switch: FreeSWITCH's side of the border, small enough to read, where FreeSWITCH is not
installed.

`EmbeddedSwitch` supplies every C function that `switch` binds, as real function pointers with real locks
and threads. Audio passes through `media` and `bugs`, which are compiled and never need the GIL. What it
leaves out: RTP, SIP, video, READ_REPLACE, READ_PING and native taps, a bug's stop time, and resampling of
bridged calls better than interpolation.
"""

from __future__ import annotations

from .calls import EmbeddedCall
from .codecs import CodecSpec
from .events import Event, LogLine
from .switch import EmbeddedSwitch

__all__ = ["EmbeddedCall", "CodecSpec", "EmbeddedSwitch", "Event", "LogLine"]
