"""The community module's grammar: ``<uuid> <action> …``, for the one stream that a call then has.

Metadata and text are any text; single quotes around the whole quote it, double quotes belong to it.
"""

from __future__ import annotations

from typing import Sequence

from ..audio import Track
from ..config import Dialect
from ..errors import RefusedError
from .parts import prefix_and_url, rate
from .urls import AUDIOSOCKET, check_url
from .vocabulary import COMMUNITY_ID, ENDS, WORDLESS, Command, SendText, Start
from .words import Words, shown, unquoted

_TARGET = "uuid_audio_stream <uuid>"
_SYNTAX = {
    "start": "start <ws-or-wss-url> <mono|mixed|stereo> [rate] [metadata]",
    "stop": "stop [text]",
    "pause": "pause",
    "resume": "resume",
    "graceful-shutdown": "graceful-shutdown [text]",
    "send_text": "send_text <text>",
    "pause_play": "pause_play",
    "resume_play": "resume_play",
    "clear_play": "clear_play",
}
ACTIONS = tuple(_SYNTAX)
"""The words that can follow the uuid; none of them can be a stream id."""

USAGE = f"{_TARGET} {' | '.join(_SYNTAX.values())}"
"""The syntax, in one line."""

_MIXES = {"mono": Track.INBOUND, "mixed": Track.MIXED, "stereo": Track.STEREO}
_DEFAULT_RATE = "8000"


def read(uuid: str, action: str, words: Words, schemes: Sequence[str]) -> Command:
    """The command in the words after `action`, which is one of ACTIONS; raises CommandError."""
    words.syntax = f"{_TARGET} {_SYNTAX[action]}"
    if action == "start":
        return _start(uuid, words, schemes)
    if action == "send_text":
        return SendText(uuid, COMMUNITY_ID, unquoted(words.rest, "'") or words.missing("text"))
    if action in ENDS:
        return ENDS[action](uuid, COMMUNITY_ID, unquoted(words.rest, "'"))
    return WORDLESS[action](uuid, COMMUNITY_ID)


def _start(uuid: str, words: Words, schemes: Sequence[str]) -> Start:
    prefix, url = prefix_and_url(words)
    mix = words.next("mono, mixed or stereo")
    hertz = words.next_if_any() or _DEFAULT_RATE
    check_url(url, [scheme for scheme in schemes if scheme != AUDIOSOCKET])
    return Start(uuid, COMMUNITY_ID, url, _track(mix), rate(hertz, "it stands before the metadata"), timeout=0,
                 bidirectional=True, metadata=unquoted(words.rest, "'") or None, prefix=prefix,
                 dialect=Dialect.COMMUNITY)


def _track(word: str) -> Track:
    track = _MIXES.get(word.lower())
    if track is None:
        raise RefusedError(f"bad mix type {shown(word)}: use mono, mixed or stereo, or put a stream id before "
                           "start to use inbound, outbound or both")
    return track
