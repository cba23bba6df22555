"""Words of ``start`` that both grammars have."""

from __future__ import annotations

import re

from ..audio import RATES
from ..config import split_prefix
from ..errors import RefusedError, SettingError
from .words import BLANKS, Words, check_length, shown

LONGEST_METADATA = 500_000
LONGEST_TEXT = 1_000_000
"""Bytes; with what comes around it, it fits into the queue of messages that wait for the server."""
LONGEST_REASON = 65_536

_RATES = {word: rate for rate in RATES for word in (str(rate), f"{rate / 1000:g}k")}


def prefix_and_url(words: Words) -> tuple[dict[str, str], str]:
    """The settings before the URL, unchecked, and the URL, unchecked.

    A prefix has quotes and blanks of its own: it comes off before words are split, unless it is quoted.
    """
    try:
        if words.rest.startswith("{"):
            prefix, rest = split_prefix(words.rest)
            words.rest = rest.lstrip(BLANKS)
            return prefix, words.next("url")
        prefix, url = split_prefix(words.next("url"))
    except SettingError as error:
        raise RefusedError(str(error)) from error
    return prefix, url.lstrip(BLANKS)


def leading_rate(word: str) -> str:
    """A word for `rate`: the digits that ``8000Hz`` and ``16000.0`` begin with, which is as far as C's atoi reads."""
    digits = re.match(r"\+?([0-9]{1,9})", word)
    return str(int(digits[1])) if digits and int(digits[1]) in RATES else word


def metadata_part(words: Words) -> str:
    """The metadata of a start as written: the rest of the line. Raises RefusedError where that is too long to introduce
    a stream with.
    """
    return _limited("the metadata", words.rest, LONGEST_METADATA, "leave out what the server can ask for elsewhere, or "
                    "send it in parts with send_text when the stream is streaming")


def text_part(words: Words) -> str:
    """The text of a send_text as written: the rest of the line. Raises RefusedError where that is too long."""
    return _limited("the text", words.rest, LONGEST_TEXT, "no more can wait for a server, so send it in parts")


def reason_part(words: Words) -> str:
    """Why a stream is to end as written: the rest of the line. Raises RefusedError where that is too long."""
    return _limited("the reason", words.rest, LONGEST_REASON, "say it in fewer words, or with send_text before")


def _limited(what: str, text: str, longest: int, remedy: str) -> str:
    check_length(what, text, longest, remedy)
    return text


def rate(word: str, hint: str) -> int:
    """Hz; raises RefusedError with `hint`, which says where in the line a rate is looked for."""
    known = _RATES.get(word.lower())
    if known is None:
        raise RefusedError(f"bad rate {shown(word)}: use one of {', '.join(map(str, RATES))}; {hint}")
    return known
