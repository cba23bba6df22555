"""What is given back when a stream has ended: its paths, its id, and the files of a call that is over."""

from __future__ import annotations

from .call_finder import CallFinder
from .conversation.playback.sound_files import SoundFiles
from .dispatch.dispatcher import Dispatcher
from .stream import Stream
from .stream_table import Key, StreamTable

_SOUNDS_SECONDS = 2.0  # between two looks whether the call of some files is over


class Ending:
    """On the ended stream's dispatcher."""

    def __init__(self, table: StreamTable, calls: CallFinder, sounds: SoundFiles) -> None:
        self._table = table
        self._calls = calls
        self._sounds = sounds

    def ended(self, stream: Stream) -> None:
        """Neither the call nor the network nor a compiled thread knows of it any more."""
        stream.media.close(stream.dispatcher)
        key, dispatcher = stream.key, stream.dispatcher
        self._table.leave(stream)
        if self._sounds.has(key[0]) or self._table.is_unstopped(key):
            dispatcher.call_later(0, lambda: self._look_after(key, dispatcher))
        if stream.client_session:
            stream.client_session.end()

    def _look_after(self, key: Key, dispatcher: Dispatcher) -> None:
        """The files of a call stay as long as it does: the application may still play them."""
        if not (self._sounds.has(key[0]) or self._table.is_unstopped(key)):
            return
        if self._calls.has(key[0]):
            dispatcher.call_later(_SOUNDS_SECONDS, lambda: self._look_after(key, dispatcher))
        else:
            self._sounds.remove(key[0])
            self._table.stopped(key)
