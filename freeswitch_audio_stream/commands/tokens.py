"""Tokens for clients of the media server: ``<uuid> token [seconds]`` and ``conference <name> token [seconds]``.

``token`` is also a valid stream id, and ``conference`` a valid call id: if an action of the stream API follows, the
line is in the stream API's grammar.
"""

from __future__ import annotations

import re

from ..errors import RefusedError
from .stream_api import ACTIONS
from .vocabulary import MintToken
from .words import Words, shown

USAGE = "uuid_audio_stream <uuid> token [seconds] | conference <name> token [seconds]"
"""The syntax, in one line."""

LONGEST_SECONDS = 86_400
"""Longest lifetime of a token, in seconds: a token cannot be revoked."""

_ACTION, _CONFERENCE = "token", "conference"
_CONFERENCE_NAME = re.compile(r"[A-Za-z0-9_.~-]{1,128}")


def is_conference_name(name: str) -> bool:
    """Return whether `name` can be passed to FreeSWITCH's conference commands, where some characters have meanings."""
    return _CONFERENCE_NAME.fullmatch(name) is not None


def is_meant(first: str, second: str, words: Words) -> bool:
    """Return whether a line with these first two words and the following `words` asks for a token."""
    if _is_of_conference(first, words):
        return True
    return second.lower() == _ACTION and words.following.lower() not in ACTIONS


def _is_of_conference(first: str, words: Words) -> bool:
    return first.lower() == _CONFERENCE and words.following.lower() == _ACTION


def read(first: str, second: str, words: Words) -> MintToken:
    """Return the command; raise RefusedError if a word is wrong."""
    if not _is_of_conference(first, words):
        return MintToken("call", first, _seconds(words.next_if_any()))
    words.next(_ACTION)
    if not is_conference_name(second):
        raise RefusedError(f"bad conference name {shown(second)}: use at most 128 letters, digits and any of _.~-")
    return MintToken(_CONFERENCE, second, _seconds(words.next_if_any()))


def _seconds(word: str) -> int | None:
    if not word:
        return None
    if not re.fullmatch("[0-9]{1,6}", word) or not 1 <= int(word) <= LONGEST_SECONDS:
        raise RefusedError(f"bad seconds {shown(word)}: a token can be good for 1 to {LONGEST_SECONDS} seconds")
    return int(word)
