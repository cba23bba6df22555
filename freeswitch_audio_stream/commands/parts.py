"""Words of ``start`` that both grammars have."""

from __future__ import annotations

import re

from ..audio import RATES
from ..config import split_prefix
from ..errors import RefusedError, SettingError
from .words import BLANKS, Words, shown

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


def rate(word: str, hint: str) -> int:
    """Hz; raises RefusedError with `hint`, which says where in the line a rate is looked for."""
    known = _RATES.get(word.lower())
    if known is None:
        raise RefusedError(f"bad rate {shown(word)}: use one of {', '.join(map(str, RATES))}; {hint}")
    return known
