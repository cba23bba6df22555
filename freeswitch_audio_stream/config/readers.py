"""Texts of settings that have a form of their own: from what was given to the value.

Each raises ValueError with what the text is instead, as words that follow "is".
"""

from __future__ import annotations

import base64
import ipaddress
import re

import orjson

CA_NONE = "NONE"
"""Of the setting `tls_ca_file`: verify no certificate."""
_CA_SYSTEM = "SYSTEM"
ORIGIN_NONE = "NONE"
"""Of the setting `origin`: send no such header."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HANDSHAKE = frozenset((
    "connection", "content-length", "sec-websocket-extensions", "sec-websocket-key",
    "sec-websocket-version", "transfer-encoding", "upgrade"))
SUBPROTOCOL_HEADER = "sec-websocket-protocol"
"""The one header of the handshake that users may name: what it says is offered in place of `subprotocol_name`."""


def ca_file(text: str) -> str:
    """Return a path, CA_NONE, or "" for the authorities of the system."""
    word = text.strip().upper()
    return text if word not in (CA_NONE, _CA_SYSTEM) else word.removesuffix(_CA_SYSTEM)


def own_file(text: str) -> str:
    """Return a path, or "" for none, as which the community module's users write NONE, too."""
    return "" if text.strip().upper() == "NONE" else text


def origin(text: str) -> str:
    """Return an origin, ORIGIN_NONE, or "" for that of the URL."""
    return ORIGIN_NONE if text.upper() == ORIGIN_NONE else text


def ip_address(text: str) -> str:
    """Return the address in its usual form; "" for none."""
    if not text.strip():
        return ""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError as error:
        raise ValueError("not an address") from error


def base64_text(text: str) -> str:
    """Return base64 as it was given; "" for none."""
    try:
        base64.b64decode(text.strip(), validate=True)
    except ValueError as error:
        raise ValueError("not base64") from error
    return text.strip()


def header_object(text: str) -> str:
    """Return the JSON object as it was given; "" for none."""
    if text.strip():
        parse_headers(text)
    return text.strip()


def leading_number(text: str) -> tuple[str, str]:
    """Return the number that a text such as ``60ms`` begins with, as C's atoi reads it, and no warning."""
    number = re.match(r"\s*([+-]?[0-9]{1,400})", text)
    return (number[1] if number else text), ""


def usable_headers(text: str) -> tuple[str, str]:
    """Return the JSON object without the members that the community module does not send or that the handshake has
    anyway, and a warning that names them.
    """
    try:
        headers = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text, ""
    if not isinstance(headers, dict):
        return text, ""
    usable = {name: value for name, value in headers.items()
              if isinstance(value, str) and name.lower() not in _HANDSHAKE}
    if len(usable) == len(headers):
        return text, ""
    names = ", ".join(ascii(name[:80]) for name in headers if name not in usable)[:200]
    return orjson.dumps(usable).decode(), f"not sent, being no texts or the handshake's own: {names}"


def parse_headers(text: str) -> dict[str, str]:
    """Return the values by name of a JSON object whose members can be headers of a WebSocket handshake."""
    try:
        headers = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(headers, dict):
        raise ValueError("not a JSON object")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"impossible: {name[:80]!r} cannot be the name of a header")
        if name.lower() in _HANDSHAKE:
            raise ValueError(f"impossible: the header {name} belongs to the handshake")
        if not isinstance(value, str) or _CONTROL.search(value):
            raise ValueError(f"impossible: the value of the header {name[:80]} is no text in one line")
        if name.lower() == SUBPROTOCOL_HEADER and not all(_TOKEN.fullmatch(part.strip()) for part in value.split(",")):
            raise ValueError(f"impossible: the value of the header {name} is no list of subprotocols")
    return headers
