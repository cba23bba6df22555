"""What there is to set of the module's HTTP server, the media server."""

from __future__ import annotations

from dataclasses import dataclass

from .readers import ip_address, own_file
from .table import Table, setting
from .variables import VARIABLE_PREFIX

_TOKENS = r" *([A-Za-z0-9._~+/=-]{16,256}( +|$))*"


@dataclass(frozen=True)
class HttpServerSettings:
    """The settings of the HTTP server, each valid; see `HTTP_SERVER` for meaning, unit and range."""

    media_server_address: str = setting(
        "", "The address on which clients may attach to calls; empty: the media server is off.",
        pattern_rule="an IPv4 or IPv6 address, such as 127.0.0.1 or ::", read=ip_address)
    media_server_port: int = setting(
        8088, "Its TCP port; 0: any that is free, which the log tells.", minimum=0, maximum=65535)
    media_server_cert_file: str = setting(
        "", "A PEM file of the certificate that it shows, with its chain; empty: no TLS.",
        pattern_rule="NONE or a path", read=own_file)
    media_server_key_file: str = setting(
        "", "A PEM file of its key, not encrypted; empty: the key is in media-server-cert-file.",
        pattern_rule="NONE or a path", read=own_file)
    media_server_tokens: str = setting(
        "", "Tokens that are good for all calls and conferences, and to make calls.", pattern=_TOKENS,
        pattern_rule="texts of 16 to 256 letters, digits and -._~+/=, with blanks between them", secret=True)
    media_server_token_secret: str = setting(
        "", "The key with which tokens for one call or conference are signed; empty: a new one at each load.",
        pattern=r"([\x21-\x7e]{32,1024})?", pattern_rule="32 to 1024 visible ASCII characters", secret=True)
    media_server_token_secs: int = setting(
        3600, "How long such a token is good for, where the command does not say.", unit="s", minimum=1,
        maximum=86_400)
    media_server_max_clients: int = setting(
        100, "Clients attached at once, to all calls and conferences.", minimum=1, maximum=4000)
    media_server_max_clients_per_call: int = setting(
        8, "Clients attached at once to one call or conference.", minimum=1, maximum=4000)
    media_server_max_connections: int = setting(
        0, "Connections open at once that are not attached yet, up to half as many as FreeSWITCH may open files; "
        "0: a quarter as many, at most 1000.", minimum=0, maximum=65_536)
    media_server_max_connections_per_address: int = setting(
        0, "Of those, from one IPv4 address or one IPv6 /64; 0: a quarter of all.", minimum=0,
        maximum=65_536)
    media_server_dial_string: str = setting(
        "", "What POST /v1.0/calls dials, such as sofia/gateway/name/{destination}; empty: it makes no calls.",
        pattern=r"([!-~]*\{destination\}[!-~]*)?",
        pattern_rule="a dial string without blanks, with {destination} where the number goes")


HTTP_SERVER = Table(HttpServerSettings, VARIABLE_PREFIX)
"""The settings of the HTTP server; in the order of the documentation."""
