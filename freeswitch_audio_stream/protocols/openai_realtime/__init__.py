"""OpenAI's Realtime protocol (general availability), and services that speak it: a session that does no I/O.

    options.py    what there is to choose: model, voice, instructions, turn detection, tools
    dialects.py   services that say the same in other words: xAI, Azure Voice Live
    events.py     what a session tells its owner
    history.py    what was said, for a session that goes on for another
    answers.py    what the model says: how much of each answer has come, and how much was heard
    responses.py  which response is being made, and whether to ask for one
    transcript.py lines in the order in which they were said
    wire.py       reading and writing of messages
    wire_protocol.py  the session as a stream's wire protocol
    faults.py     which errors are final
    session.py    the session

Facts: the API reference of OpenAI's Realtime API. A session belongs to one connection; the history outlives it.
"""

from __future__ import annotations

from .events import (AudioFinished, Event, FunctionCall, HoldAudio, Interrupted, Ready, Refused, ReleaseAudio,
                     RetryResponse, Said, Send, SessionExpired, Trouble)
from .faults import is_final
from .history import Entry, History
from .options import OPTIONS, RealtimeOptions, read_options
from .session import RealtimeSession

__all__ = ["OPTIONS", "AudioFinished", "Entry", "Event", "FunctionCall", "History", "HoldAudio", "Interrupted", "Ready",
           "RealtimeOptions", "RealtimeSession", "Refused", "ReleaseAudio", "RetryResponse", "Said", "Send",
           "SessionExpired", "Trouble", "is_final", "read_options"]
