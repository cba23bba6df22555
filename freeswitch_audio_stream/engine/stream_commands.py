"""What the commands do to streams that run."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Mapping

import orjson

from ..commands import (ClearPlayback, Command, GracefulShutdown, ListStreams, Pause, PausePlayback, Resume,
                        ResumePlayback, SendText, Status, Stop, ToolResult)
from .stream import Stream
from .stream_table import StreamTable

Handler = Callable[[Any], str]
"""Carries out a command of the type that it stands for in a table, and returns the answer; raises RefusedError."""

_DONE = "+OK Success"


class StreamCommands:
    """Any thread; nothing waits."""

    def __init__(self, table: StreamTable) -> None:
        self._table = table
        self._of_streams: dict[type[Command], Callable[[Stream, Any], str | None]] = {
            Status: self._status, SendText: self._send_text, ToolResult: self._tool_result,
            Pause: partial(self._pause, paused=True), Resume: partial(self._pause, paused=False),
            PausePlayback: self._pause_playback, ResumePlayback: self._resume_playback,
            ClearPlayback: self._clear_playback, Stop: self._stop, GracefulShutdown: self._finish_gracefully}
        self.handlers: Mapping[type[Command], Handler] = {
            ListStreams: self._list, **dict.fromkeys(self._of_streams, self._run)}
        """By type of command: what carries it out, and returns ``+OK …`` or JSON."""

    def _run(self, command: Any) -> str:
        key = command.uuid, command.stream_id
        if type(command) in _OF_UNSTOPPED and self._table.is_unstopped(key):
            if isinstance(command, (Stop, GracefulShutdown)):
                self._table.stopped(key)
            return _DONE
        stream = self._table.find(command.uuid, command.stream_id)
        return self._of_streams[type(command)](stream, command) or _DONE

    def _list(self, command: ListStreams) -> str:
        streams = sorted(self._table.running(), key=lambda stream: stream.plan.info.stream_id)
        return orjson.dumps([stream.lifecycle.status() for stream in streams]).decode()

    def _status(self, stream: Stream, command: Status) -> str:
        return orjson.dumps(stream.lifecycle.status()).decode()

    def _send_text(self, stream: Stream, command: SendText) -> None:
        stream.sender.text(command.text)

    def _tool_result(self, stream: Stream, command: ToolResult) -> None:
        self._table.post(stream, lambda: stream.sender.tool_result(command.call_id, command.output))

    def _pause(self, stream: Stream, command: Pause | Resume, paused: bool) -> None:
        stream.media.capture.pause(paused)

    def _pause_playback(self, stream: Stream, command: PausePlayback) -> None:
        stream.media.path.pause_playback(True)  # at once: after the answer the caller hears no more
        # And in line with the others: clear_play, resume_play must not play what the former clears.
        self._table.post(stream, lambda: stream.player.pause(True))

    def _resume_playback(self, stream: Stream, command: ResumePlayback) -> None:
        self._table.post(stream, lambda: stream.player.pause(False))

    def _clear_playback(self, stream: Stream, command: ClearPlayback) -> None:
        self._table.post(stream, stream.player.clear)

    def _finish_gracefully(self, stream: Stream, command: GracefulShutdown) -> None:
        self._table.post(stream, lambda: stream.finish_gracefully(command.reason))

    def _stop(self, stream: Stream, command: Stop) -> None:
        # The id is free at once; the stream takes its leave of the server on its dispatcher.
        self._table.free_id(stream)
        self._table.post(stream, lambda: stream.stop("requested", command.reason))


_OF_UNSTOPPED = (Stop, GracefulShutdown, Pause, Resume)
"""What succeeds, once or again, after the server of a stream of the community dialect has closed."""
