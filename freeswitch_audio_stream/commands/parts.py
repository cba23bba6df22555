"""Arguments that both grammars have."""

from __future__ import annotations

import re

from ..audio import RATES
from ..config import split_prefix
from ..errors import RefusedError, SettingError
from .words import BLANKS, Words, check_length, shown

LONGEST_METADATA = 500_000
LONGEST_TEXT = 1_000_000
"""Bytes of a text; the message that contains it still fits into the stream's send queue."""
LONGEST_REASON = 65_536

_RATES = {word: rate for rate in RATES for word in (str(rate), f"{rate / 1000:g}k")}


def prefix_and_url(words: Words) -> tuple[dict[str, str], str]:
    """Return the settings before the URL and the URL, both unchecked; "" where the profile of an agent has it.

    The settings may contain quotes and blanks, so they are removed before words are split, unless the word is quoted.
    """
    try:
        if words.rest.startswith("{"):
            prefix, rest = split_prefix(words.rest)
            words.rest = rest.lstrip(BLANKS)
            if "agent" in prefix and "://" not in words.following:
                return prefix, ""
            return prefix, words.next("url")
        prefix, url = split_prefix(words.next("url"))
    except SettingError as error:
        raise RefusedError(str(error)) from error
    return prefix, url.lstrip(BLANKS)


def leading_rate(word: str) -> str:
    """Return the digits at the start of `word`, for `rate`: 8000 of ``8000Hz``, 16000 of ``16000.0``, as C's atoi
    does.
    """
    digits = re.match(r"\+?([0-9]{1,9})", word)
    return str(int(digits[1])) if digits and int(digits[1]) in RATES else word


def metadata_part(words: Words) -> str:
    """Return the metadata of a ``start``, as written: the rest of the line. Raise RefusedError if it is too long to
    be sent when the connection opens.
    """
    return _limited("the metadata", words.rest, LONGEST_METADATA, "leave out what the server can ask for elsewhere, or "
                    "send it in parts with send_text when the stream is streaming")


def text_part(words: Words) -> str:
    """Return the text of a ``send_text``, as written: the rest of the line. Raise RefusedError if it is too long."""
    return _limited("the text", words.rest, LONGEST_TEXT, "no more can wait for a server, so send it in parts")


def reason_part(words: Words) -> str:
    """Return the reason for ending a stream, as written: the rest of the line. Raise RefusedError if it is too long."""
    return _limited("the reason", words.rest, LONGEST_REASON, "say it in fewer words, or with send_text before")


def _limited(what: str, text: str, longest: int, remedy: str) -> str:
    check_length(what, text, longest, remedy)
    return text


def rate(word: str, hint: str) -> int:
    """Return the rate in Hz; raise RefusedError, with `hint` as the remedy, if `word` is not a valid rate."""
    known = _RATES.get(word.lower())
    if known is None:
        raise RefusedError(f"bad rate {shown(word)}: use one of {', '.join(map(str, RATES))}; {hint}")
    return known
