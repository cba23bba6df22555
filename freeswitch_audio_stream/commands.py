"""Commands: one line of words in, one frozen value out.

    uuid_audio_stream <uuid> <stream_id> <action> …

Words are split as FreeSWITCH splits them: at blanks, with '…' keeping blanks together and a backslash before
a quote or backslash. Metadata, text and reason are not words but the rest of the line, so they need no
quoting to hold blanks. Nothing here knows a call or a stream; any thread may call it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Mapping, NoReturn, Sequence, Union

import orjson

from .audio import RATES, Encoding, Track
from .config import split_prefix
from .errors import RefusedError, SettingError, UsageError

SCHEMES = ("ws", "wss")
"""URL schemes of WebSocket servers."""

_LONGEST_ID = 256

_TARGET = "uuid_audio_stream <uuid> <stream_id>"
_SYNTAX = {
    "start": "start <ws-or-wss-url> <inbound|outbound|both> [l16|mulaw] <rate> <timeout> <0|1> [metadata]",
    "stop": "stop [reason]",
    "pause": "pause",
    "resume": "resume",
    "graceful-shutdown": "graceful-shutdown [reason]",
    "send_text": "send_text <json>",
    "status": "status",
}
ACTIONS = tuple(_SYNTAX)
"""The words that can follow the stream id."""

USAGE = f"{_TARGET} {' | '.join(_SYNTAX.values())}, or: uuid_audio_stream list"
"""The whole syntax, in one line."""


@dataclass(frozen=True)
class Start:
    """Stream a call; every value is valid in itself."""

    uuid: str
    stream_id: str
    url: str
    track: Track
    rate: int
    """Hz on the wire."""
    timeout: int
    """Seconds allowed to become connected; 0 = no limit."""
    bidirectional: bool
    """Whether the server may send."""
    metadata: str | None = None
    """JSON text as it was given."""
    encoding: Encoding = Encoding.L16
    """L16 or MULAW."""
    prefix: Mapping[str, str] = field(default_factory=dict)
    """Settings given before the URL, unchecked; they may hold a password."""


@dataclass(frozen=True)
class Stop:
    """End a stream now; `reason` is "" when none was given."""

    uuid: str
    stream_id: str
    reason: str = ""


@dataclass(frozen=True)
class Pause:
    """Send no audio; stay connected."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class Resume:
    """Send audio again."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class GracefulShutdown:
    """Capture no more, send and play what is buffered, then end; `reason` is "" when none was given."""

    uuid: str
    stream_id: str
    reason: str = ""


@dataclass(frozen=True)
class SendText:
    """Send `text`, which is not empty, to the server."""

    uuid: str
    stream_id: str
    text: str


@dataclass(frozen=True)
class Status:
    """Describe a stream."""

    uuid: str
    stream_id: str


@dataclass(frozen=True)
class ListStreams:
    """Describe all streams."""


Command = Union[Start, Stop, Pause, Resume, GracefulShutdown, SendText, Status, ListStreams]


def parse(line: str, schemes: Sequence[str] = SCHEMES) -> Command:
    """The command in `line`, which is what follows ``uuid_audio_stream``.

    Words after a command that takes none are ignored, as deployed dialplans may have them. Raises UsageError
    when words are missing or the action is unknown, RefusedError when a word is wrong; nothing else.
    """
    _check_text(line)
    words = _Words(line)
    if words.rest.lower() == "list":
        return ListStreams()
    uuid, stream_id, action = words.next("uuid"), words.next("stream_id"), words.next("action").lower()
    if action not in _SYNTAX:
        # A URL or prefix that slipped into this place may hold a password: it is not repeated.
        named = f"action {action}" if re.fullmatch("[a-z_-]{1,40}", action) else "such action"
        raise UsageError(f"{USAGE} (there is no {named})")
    _check_id("call uuid", uuid)
    _check_id("stream id", stream_id)
    words.syntax = f"{_TARGET} {_SYNTAX[action]}"
    match action:
        case "start":
            return _start(uuid, stream_id, words, schemes)
        case "stop":
            return Stop(uuid, stream_id, _unquoted(words.rest))
        case "graceful-shutdown":
            return GracefulShutdown(uuid, stream_id, _unquoted(words.rest))
        case "send_text":
            return SendText(uuid, stream_id, _unquoted(words.rest) or words.missing("json"))
        case "pause":
            return Pause(uuid, stream_id)
        case "resume":
            return Resume(uuid, stream_id)
    return Status(uuid, stream_id)


def _check_text(line: str) -> None:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        where = error.start + 1
        raise RefusedError(f"the command is not UTF-8 at character {where}: send it as UTF-8") from error


def _check_id(what: str, word: str) -> None:
    if not word.isprintable() or len(word) > _LONGEST_ID:
        raise RefusedError(f"bad {what} {_shown(word)}: use at most {_LONGEST_ID} printable characters")


def _shown(word: str) -> str:
    """A word as an answer may repeat it: short, in one line."""
    return repr(word if len(word) <= 80 else word[:77] + "…")


# Words and the rest of the line

_BLANKS = " \t\r\n"
_WORD_PIECE = re.compile(r"\\([\\'\"snrt])|'((?:\\.|[^'\\])*)'|([^ \t\r\n\\']+|[^ \t\r\n])", re.DOTALL)
_ESCAPE = re.compile(r"\\([\\'\"snrt])")
_ESCAPED = {"s": " ", "n": "\n", "r": "\r", "t": "\t"}


class _Words:
    """The words of a line, one after the other, and what is left of it."""

    def __init__(self, line: str) -> None:
        self.rest = line.strip(_BLANKS)
        self.syntax = USAGE

    def next(self, name: str) -> str:
        """The next word, unquoted; raises UsageError when it is missing or empty."""
        word, end = "", 0
        while piece := _WORD_PIECE.match(self.rest, end):
            escaped, quoted, plain = piece.groups()
            if quoted is not None:
                word += _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), quoted)
            else:
                word += plain or _ESCAPED.get(escaped, escaped)
            end = piece.end()
        self.rest = self.rest[end:].lstrip(_BLANKS)
        return word or self.missing(name)

    def missing(self, name: str) -> NoReturn:
        raise UsageError(f"{self.syntax} ({name} is missing)")


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _unquoted(rest: str) -> str:
    """The rest of a line as its author meant it.

    One pair of quotes around the whole is taken off, but not the first and last quote of ``'a' and 'b'``.
    JSON within the quotes may use the same quotes and its own backslashes; so what is JSON without further
    ado is left alone.
    """
    quote = rest[:1]
    if len(rest) < 2 or quote not in ("'", '"') or rest[-1] != quote:
        return rest
    inner = rest[1:-1]
    unescaped = re.sub(rf"\\([\\{quote}])", r"\1", inner)
    for candidate in (inner, unescaped):
        if _is_json(candidate):
            return candidate
    return unescaped if re.fullmatch(rf"(?:\\.|[^\\{quote}])*", inner, re.DOTALL) else rest


def _metadata(rest: str) -> str | None:
    if not rest:
        return None
    # "…" may be quoting, or itself a JSON string.
    for candidate in (_unquoted(rest), rest):
        if _is_json(candidate):
            return candidate
    raise RefusedError(f"metadata {_shown(rest)} is not JSON: "
                       "write it as '{\"name\":\"value\"}', or leave it out")


# start

_CODECS = {"l16": Encoding.L16, "linear16": Encoding.L16,
           "mulaw": Encoding.MULAW, "ulaw": Encoding.MULAW, "pcmu": Encoding.MULAW}
_RATES = {word: rate for rate in RATES for word in (str(rate), f"{rate / 1000:g}k")}
_TRACKS = {track.value: track for track in Track}
_LONGEST_TIMEOUT = 2 ** 31 - 1


def _start(uuid: str, stream_id: str, words: _Words, schemes: Sequence[str]) -> Start:
    prefix, url = _prefix_and_url(words)
    track = words.next("track")
    rate = words.next("rate")
    encoding = _CODECS.get(rate.lower())
    if encoding is not None:
        rate = words.next("rate")
    timeout, flag = words.next("timeout"), words.next("bidirectional flag, 0 or 1,")
    check_url(url, schemes)
    return Start(uuid, stream_id, url, _track(track), _rate(rate), _timeout(timeout), _bidirectional(flag),
                 _metadata(words.rest), encoding or Encoding.L16, prefix)


def _prefix_and_url(words: _Words) -> tuple[dict[str, str], str]:
    """A prefix has quotes and blanks of its own: it comes off before words are split, unless it is quoted."""
    try:
        if words.rest.startswith("{"):
            prefix, rest = split_prefix(words.rest)
            words.rest = rest.lstrip(_BLANKS)
            return prefix, words.next("url")
        prefix, url = split_prefix(words.next("url"))
    except SettingError as error:
        raise RefusedError(str(error)) from error
    return prefix, url.lstrip(_BLANKS)


def _track(word: str) -> Track:
    track = _TRACKS.get(word.lower())
    if track is None:
        raise RefusedError(f"bad track {_shown(word)}: use inbound, outbound or both")
    return track


def _rate(word: str) -> int:
    rate = _RATES.get(word.lower())
    if rate is None:
        raise RefusedError(f"bad rate {_shown(word)}: use one of {', '.join(map(str, RATES))}; "
                           "only l16 or mulaw may stand between track and rate")
    return rate


def _timeout(word: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", word) or int(word) > _LONGEST_TIMEOUT:
        raise RefusedError(f"bad timeout {_shown(word)}: use the whole seconds allowed for connecting, "
                           "or 0 for no limit")
    return int(word)


def _bidirectional(word: str) -> bool:
    if word not in ("0", "1"):
        raise RefusedError(f"bad bidirectional flag {_shown(word)}: "
                           "use 1 to let the server send audio to the caller, or 0")
    return word == "1"


# The URL

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:[^/?#]*@)?"
                  r"(?P<host>\[[^\]/?#]*\]|[^:/?#]*)(?P<port>:[^/?#]*)?(?:[/?][^#]*)?(?P<fragment>#.*)?")
_HOST = re.compile(r"(?=.{1,254}$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")


def without_credentials(url: str) -> str:
    """The URL as it may be logged and told: with ``***`` for user and password."""
    return re.sub(r"^([^/?#]*//)[^/?#]*@", r"\1***@", url)


def check_url(url: str, schemes: Sequence[str] = SCHEMES) -> None:
    """Raise RefusedError, with what to do about it, when nothing could connect to `url` on any network."""
    fault = _url_fault(url, schemes)
    if fault:
        raise RefusedError(f"bad URL {_shown(without_credentials(url))}: {fault}")


def _url_fault(url: str, schemes: Sequence[str]) -> str:
    beginning = " or ".join(f"{scheme}://" for scheme in schemes)
    if re.search(r"[^!-~]", url):
        return "it holds a blank, control or non-ASCII character: percent-encode it (a host name: xn--…)"
    parts = _URL.fullmatch(url)
    if parts is None or parts["scheme"].lower() not in schemes:
        return f"use {beginning} and then host[:port]/path"
    if parts["fragment"]:
        return "a WebSocket URL has no #fragment: write %23 for a # that belongs to the path or query"
    return _host_fault(parts["host"]) or _port_fault(parts["port"])


def _host_fault(host: str) -> str:
    if not host:
        return "it has no host: write host[:port] after the //, an IPv6 address in [brackets]"
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return "what stands in [brackets] is no IPv6 address: write one like [2001:db8::1]"
        return ""
    return "" if _HOST.fullmatch(host) else "its host is neither a host name nor an address: correct it"


def _port_fault(port: str | None) -> str:
    if port is None or re.fullmatch(":[0-9]{1,5}", port) and 1 <= int(port[1:]) <= 65535:
        return ""
    return (f"{_shown(port[1:])} is no port: use 1 to 65535 after the colon, "
            "and put an IPv6 address in [brackets]")
