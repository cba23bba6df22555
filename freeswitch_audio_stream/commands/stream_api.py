"""The stream API's grammar: ``<uuid> <stream_id> <action> …``.

Metadata and text are JSON, and may be in single or double quotes.
"""

from __future__ import annotations

import re
from typing import Sequence

from ..audio import Encoding, Track
from ..errors import RefusedError, UsageError
from .external_media import read_external_media
from .parts import metadata_part, prefix_and_url, rate, reason_part, text_part
from .urls import check_url
from .vocabulary import ENDS, WORDLESS, Command, SendText, Start, ToolResult
from .words import Words, is_json, shown, unquoted

_TARGET = "uuid_audio_stream <uuid> <stream_id>"
_SYNTAX = {
    "start": "start <url> <inbound|outbound|both> [l16|mulaw] <rate> <timeout> <0|1> [metadata]",
    "stop": "stop [reason]",
    "pause": "pause",
    "resume": "resume",
    "graceful-shutdown": "graceful-shutdown [reason]",
    "send_text": "send_text <json>",
    "tool_result": "tool_result <call_id> <json>",
    "pause_play": "pause_play",
    "resume_play": "resume_play",
    "clear_play": "clear_play",
    "external_media_start": "external_media_start <json> | external_media_start <url> <rtp|sln|audiosocket>",
    "status": "status",
}
ACTIONS = tuple(_SYNTAX)
"""The words that may follow the stream id."""

USAGE = f"{_TARGET} {' | '.join(_SYNTAX.values())}"
"""The syntax, in one line."""


def read(uuid: str, stream_id: str, words: Words, schemes: Sequence[str]) -> Command:
    """Return the command in the words after the stream id; raise CommandError if it is wrong."""
    action = words.next("action").lower()
    if action not in _SYNTAX:
        # If words are missing, this may be a URL or settings with a password: it is not repeated.
        named = f"action {action}" if re.fullmatch("[a-z_-]{1,40}", action) else "such action"
        raise UsageError(f"{words.syntax} (there is no {named})")
    words.syntax = f"{_TARGET} {_SYNTAX[action]}"
    if action == "start":
        return _start(uuid, stream_id, words, schemes)
    if action == "send_text":
        return SendText(uuid, stream_id, unquoted(text_part(words)) or words.missing("json"))
    if action == "tool_result":
        call_id = words.next("call_id")
        return ToolResult(uuid, stream_id, call_id, unquoted(text_part(words)) or words.missing("json"))
    if action == "external_media_start":
        return read_external_media(uuid, stream_id, words, schemes)
    if action in ENDS:
        return ENDS[action](uuid, stream_id, unquoted(reason_part(words)))
    return WORDLESS[action](uuid, stream_id)


_CODECS = {"l16": Encoding.L16, "linear16": Encoding.L16,
           "mulaw": Encoding.MULAW, "ulaw": Encoding.MULAW, "pcmu": Encoding.MULAW}
_TRACKS = {track.value: track for track in (Track.INBOUND, Track.OUTBOUND, Track.BOTH)}
_LONGEST_TIMEOUT = 2 ** 31 - 1
_RATE_HINT = "only l16 or mulaw may stand between track and rate"


def _start(uuid: str, stream_id: str, words: Words, schemes: Sequence[str]) -> Start:
    prefix, url = prefix_and_url(words)
    track = words.next("track")
    hertz = words.next("rate")
    encoding = _CODECS.get(hertz.lower())
    if encoding is not None:
        hertz = words.next("rate")
    timeout, flag = words.next("timeout"), words.next("bidirectional flag, 0 or 1,")
    if url or "agent" not in prefix:  # else the profile of the agent has it
        check_url(url, schemes)
    return Start(uuid, stream_id, url, _track(track), rate(hertz, _RATE_HINT), _timeout(timeout),
                 _bidirectional(flag), _metadata(metadata_part(words)), encoding or Encoding.L16, prefix)


def _track(word: str) -> Track:
    track = _TRACKS.get(word.lower())
    if track is None:
        raise RefusedError(f"bad track {shown(word)}: use inbound, outbound or both")
    return track


def _timeout(word: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", word) or int(word) > _LONGEST_TIMEOUT:
        raise RefusedError(f"bad timeout {shown(word)}: use the whole seconds allowed for connecting, "
                           "or 0 for no limit")
    return int(word)


def _bidirectional(word: str) -> bool:
    if word not in ("0", "1"):
        raise RefusedError(f"bad bidirectional flag {shown(word)}: "
                           "use 1 to let the server send audio to the caller, or 0")
    return word == "1"


def _metadata(rest: str) -> str | None:
    if not rest:
        return None
    # "…" is a quoted text or a JSON string.
    for candidate in (unquoted(rest), rest):
        if is_json(candidate):
            return candidate
    raise RefusedError(f"metadata {shown(rest)} is not JSON: "
                       "write it as '{\"name\":\"value\"}', or leave it out")
