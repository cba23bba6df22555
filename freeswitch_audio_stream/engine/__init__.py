"""Streams: from a command to the audio on the wire and back, without knowing which switch the calls live in.

    registry.py           all of a process' streams: what they stand on, the commands, the end of it all
    stream_book.py        which streams there are
    stream_commands.py    what the commands do to them
    starting.py           from a start command to a stream that is under way
    clients.py          the same for clients that connect to us
    client_limits.py             who those are, and how many there may be
    planning.py           from a start command to what its stream will be
    ending.py             what is given back when a stream has ended

    stream.py             one stream: its states, from connecting to the last event
    states.py             those states, as a table
    end_reason.py         why it ends
    reconnecting.py       whether and when a connection that broke is made again
    media.py              its media paths in the compiled core
    conversion.py         resampler=soxr
    attachment.py         its hold on its call: bugs, write clock, read lock

    link.py               its connection to the server: made, kept alive, closed, made again
    audiosocket_link.py   the same for AudioSocket
    link_owner.py         whom a link tells what
    attempts.py           attempts to become connected, one after the other
    connector.py          one attempt to reach the server
    watchdog.py           whether the peer is still there
    inbox.py              pieces of messages to whole messages, decompressed
    close_frame.py        codes and payload of a close frame

    sender.py            what we say to the server
    listener.py           what the server says, and what comes of it
    player.py             what the server wants the caller to hear
    decoding.py           wav, mp3 and the like to samples
    sound_files.py        audio from the server as files for the application
    message_log.py        messages of the server in the log
    digits.py             digits, each told once
    digit_sharing.py      told to each stream of the call

    lifecycle.py          what is told of a stream's life, and its status
    reports.py            the stream API's events
    community_reports.py  the community module's events
    overrun_report.py     captured audio that was lost
    packet_report.py      RTP packets that could not simply be played
    client_report.py       clients that came and left
    stream_statistics.py  the counters of a stream

    dispatcher.py         the threads on which all of this runs
    schedule.py           their timers
    timers.py             the timers of one stream, by name
    call.py               what a call has to offer
    call_finder.py        the switch's calls, by UUID
"""

from .call import BugKind, Call
from .client_attacher import ClientAttacher
from .connection.media_clients import ClientLimits, MediaClient, PendingConnection
from .registry import Registry

__all__ = ["PendingConnection", "BugKind", "Call", "MediaClient", "ClientLimits", "ClientAttacher", "Registry"]
