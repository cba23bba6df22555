"""What there is to set of the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from ...config import Table, setting
from ...config.readers import ip_address

_KEYS = r" *([A-Za-z0-9._:@-]{1,64}=[A-Za-z0-9._~+/-]{16,256}( +|$))*"


@dataclass(frozen=True)
class GatewaySettings:
    """The settings of the gateway, each valid; see `GATEWAY` for meaning, unit and range."""

    address: str = setting(
        "127.0.0.1", "The address on which it listens; all but a loopback address need api-keys.",
        pattern_rule="an IPv4 or IPv6 address, such as 127.0.0.1 or ::", read=ip_address)
    port: int = setting(3105, "Its TCP port; 0: any that is free, which is printed.", minimum=0, maximum=65535)
    cert_file: str = setting("", "A PEM file of the certificate that it shows, with its chain; empty: no TLS.",
                             pattern_rule="a path")
    key_file: str = setting("", "A PEM file of its key, not encrypted; empty: the key is in cert-file.",
                            pattern_rule="a path")
    api_keys: str = setting(
        "", "Tenants and their keys, each as tenant=key; a tenant may have several. Empty: no key is asked for.",
        pattern=_KEYS, pattern_rule="tenant=key with blanks between them, keys of 16 to 256 letters, digits and -._~+/",
        secret=True)
    agents_dir: str = setting("", "The folder of agent profiles, a JSON file each; empty: none.", pattern_rule="a path")
    agents: str = setting("", "Agent profiles as a JSON object, by name; they replace those of agents-dir.",
                          pattern=r"[^\x00]*", pattern_rule="a JSON object", secret=True)
    default_agent: str = setting("", "The profile of calls that name none, or an unknown one; empty: the only one "
                                 "there is, the one called default, or echo.", pattern_rule="the name of a profile")
    strict_agents: bool = setting(False, "A call that names an unknown profile is refused.")
    max_sessions: int = setting(1000, "Sessions at once.", minimum=1, maximum=100_000)
    max_sessions_per_tenant: int = setting(1000, "Sessions of one tenant at once.", minimum=1, maximum=100_000)
    max_polls_per_session: int = setting(16, "Polls of one session that wait at once.", minimum=1, maximum=1000)
    max_waiting_secs: int = setting(60, "A caller's audio that waits for the agent.", unit="s", minimum=1, maximum=3600)
    max_unplayed_secs: int = setting(300, "An agent's audio that waits for the client; more is dropped.", unit="s",
                                     minimum=1, maximum=3600)
    piece_ms: int = setting(1000, "The agent's audio in one answer, at most.", unit="ms", minimum=20, maximum=60_000)
    idle_secs: int = setting(600, "How long a session lives without a request of its client.", unit="s", minimum=1,
                             maximum=86_400)
    drain_secs: int = setting(30, "How long live sessions may go on after SIGTERM.", unit="s", minimum=0,
                              maximum=86_400)
    redis_url: str = setting("", "A Redis that keeps the sessions, which several gateways share then; empty: they are "
                             "in the memory of this one. REDIS_URL is another name of the variable.",
                             pattern=r"((rediss?|unix)://[!-~]+)?", pattern_rule="redis://…, rediss://… or unix://…",
                             secret=True)
    redis_cluster: bool = setting(False, "redis-url is a node of a Redis Cluster.")
    redis_prefix: str = setting("audio-stream", "What all keys in Redis begin with; gateways that have the same share "
                                "sessions.", pattern=r"[A-Za-z0-9._:-]{1,64}",
                                pattern_rule="up to 64 letters, digits and -._:")
    max_connections: int = setting(0, "Connections open at once, up to half as many as the process may open files; 0: "
                                   "a quarter as many, at most 1000.", minimum=0, maximum=65_536)
    max_connections_per_address: int = setting(0, "Of those, from one IPv4 address or one IPv6 /64; 0: all.", minimum=0,
                                               maximum=65_536)


GATEWAY = Table(GatewaySettings, "AUDIO_STREAM_GATEWAY_")
"""The settings of the gateway; in the order of the documentation."""


def keys_of(text: str) -> Mapping[str, str]:
    """Return the tenant of each key in the setting `api_keys`."""
    pairs = (word.partition("=") for word in text.split())
    return {key: tenant for tenant, _, key in pairs}
