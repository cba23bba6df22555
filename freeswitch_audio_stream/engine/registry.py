"""All of a process' streams: what they stand on, the commands, and the end of it all."""

from __future__ import annotations

import time
from typing import Callable

from ..commands import Command, MintToken, Start, parse
from ..errors import CommandError, RefusedError
from ..realtime.core import Core
from .call_finder import CallFinder, Locate
from .client_attacher import ClientAttacher
from .connection.media_clients import ClientLimits
from .conversation.digit_sharing import DigitSharing
from .conversation.digits import Digits
from .conversation.playback.sound_files import SoundFiles
from .dispatch.dispatcher import Dispatcher
from .ending import Ending
from .plan.plan import ResolveSettings
from .starting import Starter
from .state_machine import Defects
from .stream import Stream
from .stream_commands import Handler, StreamCommands
from .stream_table import StreamTable

_SHUTDOWN_DRAIN_SECONDS = 0.2


class Registry:
    """The streams of a process. Methods may be called on any Python thread; none waits for the network."""

    def __init__(self, core: Core, locate: Locate, resolve_settings: ResolveSettings, max_streams: int,
                 on_fault: Callable[[BaseException], None], on_warning: Callable[[str], None],
                 client_limits: ClientLimits = ClientLimits(0, 0)) -> None:
        """`resolve_settings(variable, prefix, dialect, defaults)` answers a stream's settings or raises SettingError.
        `on_fault` is told of defects, `on_warning` of what concerns no single stream. `client_limits` counts the
        clients that `clients` lets in.
        """
        self._core = core
        self._defects = Defects(on_fault)
        self._on_warning = on_warning
        self._sounds = SoundFiles()
        self._table = StreamTable(max_streams)
        self._handlers: dict[type[Command], Handler] = {
            MintToken: self._mint, Start: self._start, **StreamCommands(self._table).handlers}
        self._dispatchers = {worker: Dispatcher(worker, self._defects.report) for worker in core.workers}
        self.calls = CallFinder(locate)
        self._starter = Starter(core, self._dispatchers, self._table, self.calls, resolve_settings, self._sounds,
                                Ending(self._table, self.calls, self._sounds).ended)
        self.clients = ClientAttacher(client_limits, self._table, self.calls, self._starter)
        """Where clients that connect to us attach to calls."""
        self.mint: Callable[[MintToken], str] | None = None
        """Makes tokens for the clients of the media server; None while that does not run."""
        sharing = DigitSharing(Digits(core.digits, on_warning), self._table)
        self._dispatchers[core.workers[0]].on_wake = sharing.share
        for dispatcher in self._dispatchers.values():
            dispatcher.start()

    @property
    def is_open(self) -> bool:
        """Whether streams can be started: until `shutdown`."""
        return self._table.is_open

    def execute(self, line: str, is_private: bool = True) -> str:
        """Carry out a command and return its answer: ``+OK …``, ``-USAGE: …``, ``-ERR …`` or JSON.

        An answer that is not `is_private`, because others than the asker see it, is never a token.
        """
        try:
            command = parse(line)
            if isinstance(command, MintToken) and not is_private:
                raise RefusedError("as an application this would put the token into a channel variable, and with it "
                                   "into events and CDRs: ask for it by fs_cli or the event socket")
            return self._handlers[type(command)](command)
        except CommandError as error:
            return error.reply

    def _start(self, command: Start) -> str:
        self._starter.start(command)
        return "+OK Success"

    def _mint(self, command: MintToken) -> str:
        if self.mint is None:
            raise RefusedError("the media server, for whose clients tokens are, does not run: set media-server-address "
                               "in audio_stream.conf.xml; if it is set, the log says why it has not started")
        if command.kind == "call":
            self.calls.check(command.name)
        return f"+OK {self.mint(command)}"

    def shutdown(self, seconds: float) -> bool:
        """End every stream and every thread; return False if something did not end in time."""
        deadline = time.monotonic() + seconds
        self._table.close(0.25 * seconds)
        for stream in self._table.running():
            stream.post(lambda stream=stream: _shut_down(stream))  # type: ignore[misc]
        clean = self._table.wait_until_empty(0.75 * seconds)
        clean = self._table.join(deadline) and clean
        self._sounds.remove_all()
        stopped = [dispatcher.stop(deadline) for dispatcher in self._dispatchers.values()]
        for text in self._defects.repeated():
            self._on_warning(text)
        return self._core.stop(max(0.0, deadline - time.monotonic())) and all(stopped) and clean


def _shut_down(stream: Stream) -> None:
    stream.stop("shutdown", seconds=_SHUTDOWN_DRAIN_SECONDS)
