"""Words and the rest of a line.

Words are split as FreeSWITCH splits them: at blanks, with '…' keeping blanks together and a backslash before
a quote or backslash. The rest of the line is not split, so that it needs no quoting to hold blanks; quotes and
escapes in it mean what they do to FreeSWITCH (`separated`), or are JSON's before anything else (`unquoted`).
"""

from __future__ import annotations

import re
from typing import NoReturn

import orjson

from ..errors import RefusedError, UsageError

BLANKS = " \t\r\n"
LONGEST_WORD = 65_536
"""Characters of a word as it is written; no word that means something is nearly as long."""
_WORD_PIECE = re.compile(r"\\([\\'\"snrt])|'((?:\\.|[^'\\])*)'|([^ \t\r\n\\']+|[^ \t\r\n])", re.DOTALL)
_ESCAPE = re.compile(r"\\([\\'\"snrt])")
_ESCAPED = {"s": " ", "n": "\n", "r": "\r", "t": "\t"}
_TEXT_PIECE = re.compile(r"\\([\\'\"snrt])|(')|( +)|([^\\' ]+|\\)")


class Words:
    """The words of a line, one after the other, and what is left of it."""

    def __init__(self, line: str, syntax: str) -> None:
        """`syntax` is what a missing word is answered with."""
        self.rest = line.strip(BLANKS)
        self.syntax = syntax

    def next(self, name: str) -> str:
        """The next word, unquoted; raises UsageError when it is missing or empty."""
        return self.next_if_any(name) or self.missing(name)

    def next_if_any(self, name: str = "word") -> str:
        """The next word, unquoted; "" when there is none. Raises RefusedError, with `name`, where it is longer than
        words may be.
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
        """What stands before the next blank, as it is, and is not taken; "" where nothing does."""
        return re.split(f"[{BLANKS}]", self.rest, maxsplit=1)[0]

    def missing(self, name: str) -> NoReturn:
        raise UsageError(f"{self.syntax} ({name} is missing)")


def shown(word: str) -> str:
    """A word as an answer may repeat it: short, in one line."""
    return repr(word if len(word) <= 80 else word[:77] + "…")


def separated(rest: str) -> str:
    """The rest of a line as FreeSWITCH gives it to a module of its own, as the last argument there (its
    ``switch_separate_string``).

    Quotes disappear wherever a pair of them stands, a backslash before any of ``\\'"snrt`` is an escape, and blanks at
    the end count only in quotes. A quote behind which there is no other is an apostrophe.
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
    """Raise RefusedError, with the remedy, where `text` is more than `longest` bytes of UTF-8."""
    size = len(text.encode())
    if size > longest:
        raise RefusedError(f"{what} is {size} bytes long, of {longest} at most: {remedy}")


def is_json(text: str) -> bool:
    """Whether `text` is a JSON value."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def unquoted(rest: str) -> str:
    """The rest of a line as its author meant it; both kinds of quotes quote.

    One pair of quotes around the whole is taken off, but not the first and last quote of ``'a' and 'b'``.
    JSON within the quotes may use the same quotes and its own backslashes; so what is JSON without further
    ado is left alone.
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
