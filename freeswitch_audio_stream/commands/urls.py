"""The URL of a server: checks, and a form without credentials."""

from __future__ import annotations

import ipaddress
import re
from typing import Sequence

from ..errors import RefusedError
from .words import check_length, shown

SCHEMES = ("ws", "wss")
"""URL schemes of WebSocket servers."""
AUDIOSOCKET = "audiosocket"
"""The URL scheme of servers that speak AudioSocket over TCP."""
HTTP_SCHEMES = ("http", "https")
"""URL schemes of servers that have the HTTP streaming API."""
STREAM_SCHEMES = (*SCHEMES, *HTTP_SCHEMES, AUDIOSOCKET)
"""URL schemes of all servers that a stream can connect to."""

LONGEST_URL = 8192
"""Bytes; most servers accept no longer request line (RFC 9110 section 4.1 recommends at least 8000)."""

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:[^/?#]*@)?"
                  r"(?P<host>\[[^\]/?#]*\]|[^:/?#]*)(?P<port>:[^/?#]*)?(?:[/?][^#]*)?(?P<fragment>#.*)?")
_HOST = re.compile(r"(?=.{1,254}$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")


def without_credentials(url: str) -> str:
    """Return `url` with ``***`` in place of user and password, for logs and events."""
    return re.sub(r"^([^/?#]*//)[^/?#]*@", r"\1***@", url)


def check_url(url: str, schemes: Sequence[str] = SCHEMES) -> None:
    """Raise RefusedError, with the remedy, if `url` is malformed or its scheme is not one of `schemes`. Offline."""
    check_length("the URL", url, LONGEST_URL, "no server is sure to take more; hand long values over as metadata, or "
                 "by the setting extra-headers")
    fault = _url_fault(url, schemes)
    if fault:
        raise RefusedError(f"bad URL {shown(without_credentials(url))}: {fault}")


def _url_fault(url: str, schemes: Sequence[str]) -> str:
    beginning = " or ".join(f"{scheme}://" for scheme in schemes)
    if re.search(r"[^!-~]", url):
        return "it holds a blank, control or non-ASCII character: percent-encode it (a host name: xn--…)"
    parts = _URL.fullmatch(url)
    if parts is None or parts["scheme"].lower() not in schemes:
        return f"use {beginning} and then host[:port]/path"
    if parts["fragment"]:
        return "such a URL has no #fragment: write %23 for a # that belongs to the path or query"
    fault = _host_fault(parts["host"]) or _port_fault(parts["port"])
    return fault or (_audiosocket_fault(url, parts["port"]) if parts["scheme"].lower() == AUDIOSOCKET else "")


def _audiosocket_fault(url: str, port: str | None) -> str:
    if port is None:
        return "AudioSocket has no port of its own: write audiosocket://host:port"
    plain = re.fullmatch(r"[^/]*//[^/?@]*/?", url)
    return "" if plain else "AudioSocket has no users and paths: write audiosocket://host:port"


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
    return (f"{shown(port[1:])} is no port: use 1 to 65535 after the colon, "
            "and put an IPv6 address in [brackets]")
