"""What a ws://, wss://, http://, https:// or audiosocket:// URL says about the server and the request."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from ..errors import ConnectError

AUDIOSOCKET = "audiosocket"
_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443, AUDIOSOCKET: None}


@dataclass(frozen=True)
class Target:
    """A parsed URL."""

    scheme: str
    """ws, wss, http, https or audiosocket."""
    host: str
    """A name or an address; an IPv6 address without brackets."""
    port: int
    resource: str
    """Path and query, escaped for the request line."""
    basic_auth: tuple[str, str] | None
    """User and password, where the URL holds them."""

    @classmethod
    def of(cls, url: str) -> Target:
        """Parse `url`; raise `ConnectError` if it cannot be connected to."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            raise ConnectError("the URL is not a ws://, wss://, http://, https:// or audiosocket:// one with a valid "
                               "port") from None
        if port is None:
            raise ConnectError("the URL has no port: write audiosocket://host:port")
        if not parts.hostname:
            raise ConnectError("the URL names no host")
        # Escaped in the path: what would end it, and ";", which websocket-client takes for an end too.
        resource = quote(parts.path or "/", safe="/%:@!$&'()*+,=~")
        if parts.query:
            resource += "?" + quote(parts.query, safe="/%:@!$&'()*+,=~;?")
        user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(parts.scheme, parts.hostname, port, resource, user)

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("wss", "https")

    @property
    def where(self) -> str:
        """``host:port``, as in a URL."""
        return place(self.host, self.port)

    @property
    def url(self) -> str:
        """The URL without user and password."""
        return f"{self.scheme}://{self.where}{self.resource}"


def place(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
