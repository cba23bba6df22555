"""Whether the server takes the call's audio: in most protocols at once, in others when it says so."""

from __future__ import annotations

from typing import Callable

from ...audio import Encoding
from ...protocols.messages import AllowAudio, AudioFlow, DiscardAudio, IgnoreBinary
from ...realtime.path import MediaPath
from ..dispatch.timers import Timers


class AudioGate:
    """Of one stream; only on its dispatcher. What is held back waits in the capture ring."""

    def __init__(self, path: MediaPath, timers: Timers, permit_seconds: float) -> None:
        """A server may take up to `permit_seconds` to allow audio; 0: it need not."""
        self._path = path
        self._timers = timers
        self._permit_seconds = permit_seconds
        self._is_open = False
        self._began = 0

    def connected(self, on_late: Callable[[], None]) -> None:
        """There is another connection, on which nothing but the opening was sent. `on_late` is called where the server
        has not allowed audio in time.
        """
        self._path.skip_media(0)
        self._began = self._path.media_position
        if self._permit_seconds:
            self._is_open = False
            self._timers.after("permit", self._permit_seconds, on_late)
        else:
            self._open()

    def obey(self, message: AudioFlow) -> None:
        """The server takes audio, or takes none; or sends some that is not to be heard."""
        if isinstance(message, IgnoreBinary):
            self._path.ignore_audio(message.ignored)
        elif isinstance(message, AllowAudio):
            self._set_encoding(message.encoding)
            self._path.skip_media(self._began + self._path.format.rate * message.discard_ms // 1000)
            self._open()
        elif isinstance(message, DiscardAudio):
            self._set_encoding(message.encoding)
            self._path.skip_media(None)
            self._open()
        else:
            self._timers.cancel("permit")
            self._is_open = False
            self._path.hold_media()

    def _set_encoding(self, encoding: Encoding | None) -> None:
        if encoding is not None and not self._is_open:
            self._path.set_encoding(encoding)

    def _open(self) -> None:
        self._timers.cancel("permit")
        self._is_open = True
        self._path.open_media()

    def before_drain(self) -> None:
        """What is left is to be sent, if the server takes it, and else dropped."""
        if not self._is_open:
            self._path.skip_media(None)
