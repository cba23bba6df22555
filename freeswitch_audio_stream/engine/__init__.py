"""Streams: from a command to the audio on the wire and back, without knowing which switch the calls live in.

    registry.py         all of a process' streams: what they stand on, the commands, the end of it all
    stream_table.py     which streams there are
    stream_commands.py  what the commands do to them
    starting.py         from a start command to a stream that is under way
    client_attacher.py  the same for a client that connects to us
    ending.py           what is given back when a stream has ended

    states.py           the states of a stream and what leads from one to the next, as a table
    state_machine.py    tables of states; a step that a table does not have is a defect, and is reported
    end_reason.py       why a stream ends, in its event and on the wire
    attention.py        what the core reports of a stream, in line with what others want done
    call.py             what a call has to offer
    call_finder.py      the switch's calls, by UUID

    stream/             one stream, from waiting for the call's media to its last event
    plan/               from a command and its call to what the stream will be
    connection/         made, kept alive, closed, made again; clients that connect to us
    media/              bugs on the call, media paths in the compiled core, conversion
    conversation/       what we say, what the server says, what the caller is to hear
    events/             what is told of a stream: events, status, statistics
    dispatch/           the threads on which all of this runs, and their timers
"""

from .call import BugKind, Call
from .client_attacher import ClientAttacher
from .connection.media_clients import ClientLimits, MediaClient, PendingConnection
from .registry import Registry

__all__ = ["PendingConnection", "BugKind", "Call", "MediaClient", "ClientLimits", "ClientAttacher", "Registry"]
