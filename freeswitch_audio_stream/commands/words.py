"""Splitting a line into words and a rest.

Words are split as FreeSWITCH does: at blanks, except within single quotes; a backslash escapes a quote or a
backslash. The rest of the line is not split, so it may contain blanks without quotes. Quotes and escapes in it are
read either as FreeSWITCH does (`separated`), or as JSON if it is JSON (`unquoted`).
"""

from __future__ import annotations

import re
from typing import NoReturn

import orjson

from ..errors import RefusedError, UsageError

BLANKS = " \t\r\n"
LONGEST_WORD = 65_536
"""Characters of a word as written; the longest valid argument is far shorter."""
_WORD_PIECE = re.compile(r"\\([\\'\"snrt])|'((?:\\.|[^'\\])*)'|([^ \t\r\n\\']+|[^ \t\r\n])", re.DOTALL)
_ESCAPE = re.compile(r"\\([\\'\"snrt])")
_ESCAPED = {"s": " ", "n": "\n", "r": "\r", "t": "\t"}
_TEXT_PIECE = re.compile(r"\\([\\'\"snrt])|(')|( +)|([^\\' ]+|\\)")


class Words:
    """Reads the words of a line one after the other; holds the rest of the line."""

    def __init__(self, line: str, syntax: str) -> None:
        """`syntax` is quoted in the error for a missing word."""
        self.rest = line.strip(BLANKS)
        self.syntax = syntax

    def next(self, name: str) -> str:
        """Take the next word and return it unquoted; raise UsageError, with `name`, if it is missing or empty."""
        return self.next_if_any(name) or self.missing(name)

    def next_if_any(self, name: str = "word") -> str:
        """Take the next word and return it unquoted, or "" if there is none; raise RefusedError, with `name`, if it is
        longer than LONGEST_WORD.
        """
        word, end = "", 0
        while piece := _WORD_PIECE.match(self.rest, end, LONGEST_WORD + 1):
            escaped, quoted, plain = piece.groups()
            if quoted is not None:
                word += _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), quoted)
            else:
                word += plain or _ESCAPED.get(escaped, escaped)
            end = piece.end()
        if end > LONGEST_WORD:
            raise RefusedError(f"the {name} is longer than {LONGEST_WORD} characters: shorten it; only metadata, text "
                               "and reason, which come last, may be long")
        self.rest = self.rest[end:].lstrip(BLANKS)
        return word

    @property
    def following(self) -> str:
        """Return the text up to the next blank without taking it; "" at the end of the line."""
        return re.split(f"[{BLANKS}]", self.rest, maxsplit=1)[0]

    def missing(self, name: str) -> NoReturn:
        raise UsageError(f"{self.syntax} ({name} is missing)")


def shown(word: str) -> str:
    """Return `word` as an error message may quote it: short, in one line."""
    return repr(word if len(word) <= 80 else word[:77] + "…")


def separated(rest: str) -> str:
    """Return `rest` as FreeSWITCH's ``switch_separate_string`` returns the last argument of a command.

    Each pair of quotes is removed, a backslash before any of ``\\'"snrt`` is an escape, and trailing blanks are kept
    only within quotes. An unpaired quote is an apostrophe and stays.
    """
    text, end, is_quoted = "", 0, False
    rest = rest.lstrip(" ")
    last_quote = rest.rfind("'")
    for piece in _TEXT_PIECE.finditer(rest):
        escaped, quote, blanks, _ = piece.groups()
        if quote and (is_quoted or piece.start() < last_quote):
            is_quoted = not is_quoted
            end = len(text) if is_quoted else end
            continue
        text += _ESCAPED.get(escaped, escaped) if escaped else piece[0]
        if not blanks or is_quoted:
            end = len(text)
    return text[:end]


def check_length(what: str, text: str, longest: int, remedy: str) -> None:
    """Raise RefusedError, with `remedy`, if `text` is longer than `longest` bytes in UTF-8."""
    size = len(text.encode())
    if size > longest:
        raise RefusedError(f"{what} is {size} bytes long, of {longest} at most: {remedy}")


def is_json(text: str) -> bool:
    """Return whether `text` is a JSON value."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def unquoted(rest: str) -> str:
    """Return `rest` without the pair of single or double quotes around the whole of it, if there is one.

    ``'a' and 'b'`` has no such pair. JSON within the quotes may itself contain those quotes and backslashes, so a
    `rest` that is JSON as it stands is returned unchanged.
    """
    quote = rest[:1]
    if len(rest) < 2 or quote not in "'\"" or rest[-1] != quote:
        return rest
    inner = rest[1:-1]
    unescaped = re.sub(rf"\\([\\{quote}])", r"\1", inner)
    for candidate in (inner, unescaped):
        if is_json(candidate):
            return candidate
    return unescaped if re.fullmatch(rf"(?:\\.|[^\\{quote}])*", inner, re.DOTALL) else rest
