"""From a start command to a stream that is under way."""

from __future__ import annotations

from typing import Callable, Mapping

from ..commands import Start
from ..errors import CapacityRefused, CoreFull, MediaNotFound, RefusedError, SettingError
from ..realtime.core import Core, Worker
from .call import Call
from .call_finder import CallFinder
from .connection.media_clients import ClientSession
from .conversation.playback.sound_files import SoundFiles
from .dispatch.dispatcher import Dispatcher
from .media.paths import MediaPaths, open_media
from .plan.plan import Plan, ResolveSettings, make_plan
from .stream import Stream, StreamSetup
from .stream_table import StreamTable


class Starter:
    """Makes streams. Any thread; nothing waits for the network."""

    def __init__(self, core: Core, dispatchers: Mapping[Worker, Dispatcher], table: StreamTable, calls: CallFinder,
                 resolve_settings: ResolveSettings, sounds: SoundFiles, on_ended: Callable[[Stream], None]) -> None:
        """`on_ended` is told of every stream that has ended, on its dispatcher."""
        self._core = core
        self._dispatchers = dispatchers
        self._table = table
        self._calls = calls
        self._resolve_settings = resolve_settings
        self._sounds = sounds
        self._on_ended = on_ended

    def start(self, command: Start) -> None:
        """Start a stream; raise CallNotFound, MediaNotFound, CapacityRefused or another RefusedError."""
        self._table.reserve((command.uuid, command.stream_id))
        self.start_reserved(command)

    def start_reserved(self, command: Start, client_session: ClientSession | None = None) -> None:
        """Start a stream whose id is reserved; raises what `start` raises, and then the id is free."""
        try:
            stream = self._make(command, client_session)
            stream.attach()
        except BaseException:
            self._table.give_up((command.uuid, command.stream_id))
            raise
        self._table.begin(stream)

    def _make(self, command: Start, client_session: ClientSession | None) -> Stream:
        call = self._calls.find(command.uuid)
        plan, media = self._prepare(command, call, is_asked_for=client_session is None)
        stream = Stream(StreamSetup(plan, call, media, self._dispatchers[media.worker], self._sounds, client_session),
                        self._on_ended)
        self._table.enter(stream)
        call.hook_digits(self._core.digits.hook_address)
        return stream

    def _prepare(self, command: Start, call: Call, is_asked_for: bool) -> tuple[Plan, MediaPaths]:
        try:
            if is_asked_for:
                call.ask_for_early_media()
            _check_media(call)
            plan = make_plan(command, call, self._resolve_settings)
            return plan, open_media(self._core, plan, call)
        except BaseException as error:
            call.release()
            call.forget()
            if isinstance(error, SettingError):
                raise RefusedError(str(error)) from error
            if isinstance(error, CoreFull):
                raise CapacityRefused("no more streams fit into this process") from error
            raise


def _check_media(call: Call) -> None:
    """Whether the call has media, or may be about to have some; raises MediaNotFound."""
    if not call.has_media() and not call.is_between_states():
        raise MediaNotFound("the call has no media: answer or pre_answer it first, and do not bypass or proxy its "
                            "media")
