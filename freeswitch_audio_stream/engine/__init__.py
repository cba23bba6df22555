"""Streams: from a command to the audio on the wire and back, without knowing which switch the calls live in.

    registry.py           all streams of the process, and what the commands do to them
    planning.py           from a start command to what its stream will be
    stream.py             one stream: its states, from connecting to the last event
    states.py             those states, as a table
    attachment.py         a stream's hold on its call: bugs, write clock, read lock
    link.py               its connection to the server: made, kept alive, closed, made again
    connector.py          one attempt to reach the server
    guests.py             clients that connect to us instead
    inbox.py              pieces of messages to messages
    message_log.py        messages of the server in the log
    player.py             what the server wants the caller to hear
    decoding.py           wav, mp3 and the like to samples
    digits.py             digits, each told once
    sound_files.py        audio from the server as files for the application
    conversion.py         resampler=soxr
    reports.py            the stream API's events
    community_reports.py  the community module's events
    dispatcher.py         the threads on which all of this runs
    timers.py             timers by name
    call.py               what a call has to offer
"""

from .call import BugKind, Call
from .guests import Arrival, Guest, GuestBook
from .registry import Registry

__all__ = ["Arrival", "BugKind", "Call", "Guest", "GuestBook", "Registry"]
