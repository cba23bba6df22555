"""What is given back when a stream has ended: its paths, its id, and the files of a call that is over."""

from __future__ import annotations

from .call_finder import CallFinder
from .dispatcher import Dispatcher
from .sound_files import SoundFiles
from .stream import Stream
from .stream_book import StreamBook

_SOUNDS_SECONDS = 2.0  # between two looks whether the call of some files is over


class Ending:
    """On the ended stream's dispatcher."""

    def __init__(self, book: StreamBook, calls: CallFinder, sounds: SoundFiles) -> None:
        self._book = book
        self._calls = calls
        self._sounds = sounds

    def ended(self, stream: Stream) -> None:
        """Neither the call nor the network nor a compiled thread knows of it any more."""
        stream.media.close(stream.dispatcher)
        uuid, dispatcher = stream.plan.info.uuid, stream.dispatcher
        if self._sounds.has(uuid):
            dispatcher.call_later(0, lambda: self._remove_sounds(uuid, dispatcher))
        self._book.leave(stream)
        if stream.visit:
            stream.visit.end()

    def _remove_sounds(self, uuid: str, dispatcher: Dispatcher) -> None:
        """The files of a call stay as long as it does: the application may still play them."""
        if self._calls.has(uuid):
            dispatcher.call_later(_SOUNDS_SECONDS, lambda: self._remove_sounds(uuid, dispatcher))
        else:
            self._sounds.remove(uuid)
