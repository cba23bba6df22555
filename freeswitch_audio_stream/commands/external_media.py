"""``external_media_start``: play a server's audio to a call without sending the call's audio to the server.

Its argument is a JSON object, the ``option`` of the HTTP gateway's action of that name; or a URL and an encapsulation.
"""

from __future__ import annotations

from typing import Any, Sequence

import orjson

from ..audio import Track
from ..errors import RefusedError
from ..protocols import ENCAPSULATIONS
from .parts import prefix_and_url
from .urls import AUDIOSOCKET, HTTP_SCHEMES, check_url
from .vocabulary import Start
from .words import LONGEST_WORD, Words, check_length, shown, unquoted

_RATE = 8000  # Hz, unless the setting sample-rate is given


def read_external_media(uuid: str, stream_id: str, words: Words, schemes: Sequence[str]) -> Start:
    """Return the command in the words after the action; raise CommandError if it is wrong."""
    prefix, url, encapsulation = _arguments(words)
    check_url(url, [scheme for scheme in schemes if scheme not in HTTP_SCHEMES])
    over_tcp = url.lower().startswith(f"{AUDIOSOCKET}:")
    if over_tcp and encapsulation is None:
        encapsulation = AUDIOSOCKET
    if encapsulation is None:
        raise RefusedError(f"no encapsulation: use one of {', '.join(ENCAPSULATIONS)}")
    known = (AUDIOSOCKET,) if over_tcp else ENCAPSULATIONS
    if encapsulation not in known:
        one_of = "one of " if known[1:] else ""
        raise RefusedError(f"bad encapsulation {shown(encapsulation)}: use {one_of}{', '.join(known)}")
    return Start(uuid, stream_id, url, Track.INBOUND, _RATE, timeout=0, bidirectional=True,
                 prefix={**prefix, "protocol": encapsulation}, captures=False)


def _arguments(words: Words) -> tuple[dict[str, str], str, str | None]:
    """Return the settings, the URL and the encapsulation (None if not given), all unchecked."""
    check_length("what stands behind the action", words.rest, LONGEST_WORD, "only a URL and an encapsulation are "
                 "needed")
    option = _json(unquoted(words.rest))
    if option is None:
        prefix, url = prefix_and_url(words)
        return prefix, url, (words.next_if_any() or None)
    if not isinstance(option, dict):
        raise RefusedError('the JSON is no object: write {"url":"wss://…","encapsulation":"rtp"}')
    inner = option.get("option")
    option = inner if isinstance(inner, dict) else option
    given, encapsulation = option.get("url"), option.get("encapsulation")
    if not isinstance(given, str) or not isinstance(encapsulation, (str, type(None))):
        raise RefusedError("url and encapsulation have to be texts: write "
                           '{"url":"wss://…","encapsulation":"rtp"}')
    return {}, given, encapsulation


def _json(text: str) -> Any:
    """Return the value of `text`; None if it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
