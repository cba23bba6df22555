"""What the commands do to streams that run."""

from __future__ import annotations

import orjson

from ..commands import (ClearPlayback, GracefulShutdown, ListStreams, Pause, PausePlayback, Resume, ResumePlayback,
                        SendText, Status, Stop)
from .stream import Stream
from .stream_table import StreamTable

StreamCommand = (ListStreams | Status | SendText | Pause | Resume | PausePlayback | ResumePlayback | ClearPlayback
                 | Stop | GracefulShutdown)
_OF_UNSTOPPED = (Stop, GracefulShutdown, Pause, Resume)
"""What succeeds, once or again, after the server of a stream of the community dialect has closed."""


class StreamCommands:
    """Any thread; nothing waits."""

    def __init__(self, table: StreamTable) -> None:
        self._table = table

    def run(self, command: StreamCommand) -> str:
        """Carry it out, and answer it: ``+OK …`` or JSON. Raises RefusedError."""
        if isinstance(command, ListStreams):
            return self._list()
        if isinstance(command, _OF_UNSTOPPED) and self._table.is_unstopped((command.uuid, command.stream_id)):
            if isinstance(command, (Stop, GracefulShutdown)):
                self._table.stopped((command.uuid, command.stream_id))
            return "+OK Success"
        stream = self._table.find(command.uuid, command.stream_id)
        if isinstance(command, Status):
            return orjson.dumps(stream.lifecycle.status()).decode()
        if isinstance(command, SendText):
            stream.sender.text(command.text)
        elif isinstance(command, (Pause, Resume)):
            stream.media.capture.pause(isinstance(command, Pause))
        elif isinstance(command, (PausePlayback, ResumePlayback)):
            pause = isinstance(command, PausePlayback)
            if pause:
                stream.media.path.pause_playback(True)  # at once: after the answer the caller hears no more
            # And in line with the others: clear_play, resume_play must not play what the former clears.
            self._table.post(stream, lambda: stream.player.pause(pause))
        elif isinstance(command, ClearPlayback):
            self._table.post(stream, stream.player.clear)
        elif isinstance(command, GracefulShutdown):
            reason = command.reason
            self._table.post(stream, lambda: stream.finish_gracefully(reason))
        else:
            self._stop(stream, command.reason)
        return "+OK Success"

    def _list(self) -> str:
        streams = sorted(self._table.running(), key=lambda stream: stream.plan.info.stream_id)
        return orjson.dumps([stream.lifecycle.status() for stream in streams]).decode()

    def _stop(self, stream: Stream, reason: str) -> None:
        # The id is free at once; the stream says goodbye to its server behind our back.
        self._table.free_id(stream)
        self._table.post(stream, lambda: stream.stop("requested", reason))
