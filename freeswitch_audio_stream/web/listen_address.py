"""Where a server listens, and the socket that does."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ..errors import SettingError

_BACKLOG = 1024  # may wait in the kernel to be accepted


@dataclass(frozen=True)
class ListenAddress:
    """An address of this machine, and a TCP port."""

    host: str
    """An IPv4 or IPv6 address; ``::`` is all addresses, IPv4 included."""
    port: int
    """0: any that is free."""
    remedy: str = "choose an address of this machine, and a free port that the server's user may use"
    """What to do where nothing can listen there; the end of the error's text."""

    def listen(self, server: str) -> socket.socket:
        """Return a socket that listens for `server`, whose it is. Raise SettingError where that cannot be."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG,
                                        dualstack_ipv6=self.host == "::")
        except OSError as error:
            raise SettingError(f"{server} cannot listen on {host_and_port(self.host, self.port)}: "
                               f"{error.strerror or error}; {self.remedy}") from error


def host_and_port(host: str, port: int) -> str:
    """Return ``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
