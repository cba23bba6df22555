"""Streams: from a command to the audio on the wire and back, without knowing which switch the calls live in.

    registry.py    all streams of the process, and what the commands do to them
    stream.py      one stream: its states, from connecting to the last event
    attachment.py  a stream's hold on its call: bugs, write clock, read lock
    connector.py   one attempt to reach the server
    player.py      what the server wants the caller to hear
    inbox.py       pieces of messages to messages
    reports.py     the events: their names and bodies
    dispatcher.py  the threads on which all of this runs
    call.py        what a call has to offer
"""

from .call import BugKind, Call
from .registry import Registry

__all__ = ["BugKind", "Call", "Registry"]
