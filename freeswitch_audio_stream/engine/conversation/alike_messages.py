"""Which of a server's messages the compiled core may take without reading them (see `realtime.wire.alike`)."""

from __future__ import annotations

import base64
from typing import Sequence

from ...errors import MessageError
from ...protocols.messages import Incoming, PlayAudio
from ...protocols.session import ProtocolSession
from ...realtime.alike_audio import AlikeAudio

_MOST_BYTES = 4096  # before and behind the audio
_MOST_TRIES = 8
_PROBE = bytes(range(6))  # whole samples in each encoding


class AlikeMessages:
    """What a server's messages of audio look like; of one stream, only on its dispatcher.

    Learns from each message of audio that had to be read. A server that numbers its messages, or names something else
    in each of them, has no two that are alike: after _MOST_TRIES that helped nobody, no more is learnt.
    """

    def __init__(self, audio: AlikeAudio) -> None:
        self._audio = audio
        self._tries = 0
        self._taken = 0  # by the core, when something was last learnt

    def learn(self, data: bytes, messages: Sequence[Incoming], session: ProtocolSession) -> None:
        """The text message `data` was read, by `session`, as `messages`."""
        if len(messages) != 1 or not isinstance(messages[0], PlayAudio):
            return
        audio = messages[0]
        if audio.checkpoint is not None or audio.item is not None or not audio.audio or not self._may_try():
            return
        place = _place_of(data, audio)
        if place is None or not _reads_alike(*place, audio, session):
            return
        self._audio.expect(*place, audio.encoding, audio.rate)

    def _may_try(self) -> bool:
        taken, self._taken = self._taken, self._audio.taken
        self._tries = 1 if self._taken > taken else self._tries + 1
        return self._tries <= _MOST_TRIES


def _place_of(data: bytes, audio: PlayAudio) -> tuple[bytes, bytes] | None:
    """Return what is before and behind the base64 of `audio` in `data`; None if that is not there, or not once."""
    text = b'"%s"' % base64.b64encode(audio.audio)
    head, found, tail = data.partition(text)
    if not found or text[1:-1] in tail or text[1:-1] in head or len(head) + len(tail) > _MOST_BYTES:
        return None
    return head + b'"', b'"' + tail


def _reads_alike(head: bytes, tail: bytes, audio: PlayAudio, session: ProtocolSession) -> bool:
    """Return whether it is this text that is the audio, and not another that means the same."""
    try:
        read = session.receive(head + base64.b64encode(_PROBE) + tail)
    except MessageError:
        return False
    return list(read) == [PlayAudio(_PROBE, audio.encoding, audio.rate)]
