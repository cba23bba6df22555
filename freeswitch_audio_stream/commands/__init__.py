"""Commands: one line of text is parsed into one frozen value.

    uuid_audio_stream <uuid> <stream_id> <action> …     the stream API (stream_api.py)
    uuid_audio_stream <uuid> <action> …                 the community module (community.py)
    uuid_audio_stream <uuid> token …                    the media server (tokens.py)
    uuid_audio_stream list

The second word decides between the grammars: if it is an action of the community module, in upper or lower case and
quoted or not, the line is parsed as that module does, whatever follows. So ``<uuid> stop start …`` stops, with the
text ``start …``; and an action's name cannot be a stream id. A line of two words, or with a URL as the third, also
counts as the community module's, with an unknown action. A stream started in that grammar has the id COMMUNITY_ID,
by which the stream API can address it.

Metadata, text and reason are not words but the rest of the line. Nothing here accesses a call or a stream; any
thread may call it.
"""

from __future__ import annotations

from typing import Sequence

from ..errors import RefusedError
from . import community, stream_api, tokens
from .stream_api import ACTIONS
from .tokens import is_conference_name
from .urls import AUDIOSOCKET, SCHEMES, STREAM_SCHEMES, check_url, without_credentials
from .vocabulary import (COMMUNITY_ID, ClearPlayback, Command, GracefulShutdown, ListStreams, MintToken, Pause,
                         PausePlayback, Resume, ResumePlayback, SendText, Start, Status, Stop, ToolResult)
from .words import Words, shown

__all__ = ["ACTIONS", "AUDIOSOCKET", "COMMUNITY_ACTIONS", "COMMUNITY_ID", "SCHEMES", "STREAM_SCHEMES", "USAGE",
           "ClearPlayback", "Command", "GracefulShutdown", "ListStreams", "MintToken", "Pause", "PausePlayback",
           "Resume", "ResumePlayback", "SendText", "Start", "Status", "Stop", "ToolResult", "check_url",
           "is_conference_name", "parse", "without_credentials"]

_LONGEST_ID = 256

COMMUNITY_ACTIONS = community.ACTIONS
"""The second words by which a line belongs to the community module's grammar."""

USAGE = f"{stream_api.USAGE}, or: {community.USAGE}, or: {tokens.USAGE}, or: uuid_audio_stream list"
"""The syntax of all commands, in one line."""


def parse(line: str, schemes: Sequence[str] = STREAM_SCHEMES) -> Command:
    """Return the command in `line`, the text after ``uuid_audio_stream``.

    Superfluous words are ignored, because dialplans in use have them. Bytes that are not UTF-8 must be given as
    surrogate escapes (PEP 383), and are refused. Raise UsageError if words are missing or the action is unknown,
    RefusedError if a word is wrong; nothing else.
    """
    _check_text(line)
    words = Words(line, USAGE)
    if words.rest.lower() == "list":
        return ListStreams()
    uuid, second = words.next("uuid"), words.next("stream_id")
    if tokens.is_meant(uuid, second, words):
        command: Command = tokens.read(uuid, second, words)
    elif community.is_meant(second, words):
        command = _read_community(uuid, second, words, schemes)
    else:
        command = stream_api.read(uuid, second, words, schemes)
    _check_id("call uuid", uuid)
    _check_id("stream id", second)
    return command


def _read_community(uuid: str, second: str, words: Words, schemes: Sequence[str]) -> Command:
    action = second.lower()
    return community.read(uuid, action, words, schemes) if action in COMMUNITY_ACTIONS else community.unknown(second)


def _check_text(line: str) -> None:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        where = error.start + 1
        raise RefusedError(f"the command is not UTF-8 at character {where}: send it as UTF-8") from error


def _check_id(what: str, word: str) -> None:
    if not word.isprintable() or len(word) > _LONGEST_ID:
        raise RefusedError(f"bad {what} {shown(word)}: use at most {_LONGEST_ID} printable characters")
