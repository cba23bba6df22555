"""The community module's grammar: ``<uuid> <action> …``, which allows one stream in each call.

Metadata and text are any text, with FreeSWITCH's quotes and escapes. A command that is understood but cannot be
carried out is refused with ``-ERR``, and so is an unknown action, because scripts written for that module test for it.
A stream whose prefix names another protocol or an agent has nothing of that module but its grammar.
"""

from __future__ import annotations

import re
from typing import NoReturn, Sequence

from ..audio import Track
from ..config import Dialect
from ..errors import RefusedError
from .parts import leading_rate, metadata_part, prefix_and_url, rate, reason_part, text_part
from .urls import SCHEMES, check_url
from .vocabulary import COMMUNITY_ID, ENDS, WORDLESS, Command, SendText, Start
from .words import Words, is_json, separated, shown

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
"""The words that may follow the UUID; none of them can be a stream id."""

USAGE = f"{_TARGET} {' | '.join(_SYNTAX.values())}"
"""The syntax, in one line."""

_MIXES = {"mono": Track.INBOUND, "mixed": Track.MIXED, "stereo": Track.STEREO}
_DEFAULT_RATE = "8000"
_OWN_PROTOCOL = "community"


def read(uuid: str, action: str, words: Words, schemes: Sequence[str]) -> Command:
    """Return the command in the words after `action`, one of ACTIONS; raise CommandError if it is wrong."""
    words.syntax = f"{_TARGET} {_SYNTAX[action]}"
    if action == "start":
        return _start(uuid, words, schemes)
    if action == "send_text":
        return SendText(uuid, COMMUNITY_ID, _text(words))
    if action in ENDS:
        return ENDS[action](uuid, COMMUNITY_ID, separated(reason_part(words)))
    return WORDLESS[action](uuid, COMMUNITY_ID)


def is_meant(second: str, words: Words) -> bool:
    """Return whether a line with this second word and the following `words` is in this grammar, although the second
    word may not be an action: a line in the stream API's grammar has an action as its third word.
    """
    return second.lower() in ACTIONS or not words.following or "://" in words.following


def unknown(second: str) -> NoReturn:
    """Raise the error for a line of this grammar whose second word is not an action."""
    named = f"no action {second}" if re.fullmatch("[A-Za-z_-]{1,40}", second) else "no such action"
    raise RefusedError(f"there is {named}: use one of {', '.join(ACTIONS)}; with a stream id the action is the third "
                       "word")


def _text(words: Words) -> str:
    text = separated(text_part(words))
    if not text:
        raise RefusedError(f"send_text has no text: {words.syntax}")
    return text


def _start(uuid: str, words: Words, schemes: Sequence[str]) -> Start:
    prefix, url = prefix_and_url(words)
    mix = words.next("mono, mixed or stereo")
    hertz = rate(leading_rate(words.next_if_any() or _DEFAULT_RATE), "it stands before the metadata")
    metadata = separated(metadata_part(words)) or None
    track, dialect = _track(mix), Dialect.COMMUNITY
    if "agent" in prefix or prefix.get("protocol", _OWN_PROTOCOL) != _OWN_PROTOCOL:
        track, dialect = Track.BOTH if track is Track.STEREO else track, Dialect.STREAM_API
        if metadata is not None and not is_json(metadata):
            raise RefusedError(f"metadata {shown(metadata)} is not JSON, which only the protocol {_OWN_PROTOCOL} "
                               "takes: write it as {\"name\":\"value\"}, or leave it out")
    if url or "agent" not in prefix:  # else the profile of the agent has it
        check_url(url, [scheme for scheme in schemes if scheme in SCHEMES])
    return Start(uuid, COMMUNITY_ID, url, track, hertz, timeout=0, bidirectional=True, metadata=metadata, prefix=prefix,
                 dialect=dialect)


def _track(word: str) -> Track:
    track = _MIXES.get(word.lower())
    if track is None:
        raise RefusedError(f"bad mix type {shown(word)}: use mono, mixed or stereo, or put a stream id before "
                           "start to use inbound, outbound or both")
    return track
