"""Dialects: what a stream's settings are before anybody has set one, and whose variables are read.

The community module's users keep its defaults and its ``STREAM_*`` channel variables, and must not be
surprised by what is set for streams of the stream API. So where that dialect has a default of its own, the
file and the environment, which are the same for all calls, say nothing; channel variables (global ones, too)
and a prefix do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Callable, Mapping

from .readers import leading_number, usable_headers
from .table import Value


class Dialect(Enum):
    """The manner of a stream: that of the grammar it was started in."""

    STREAM_API = "stream API"
    COMMUNITY = "community"


@dataclass(frozen=True)
class ForeignVariable:
    """A channel variable of the community module, and the setting that means the same."""

    name: str
    attribute: str
    inverted: bool = False
    """True of the variable is False of the setting."""
    exact: bool = False
    """A number that is too small, or no multiple of the step, is passed over, not brought into the range."""
    translate: Callable[[str], tuple[str, str]] | None = None
    """Return what the setting can understand of a text, and a warning or ""."""


OWN_DEFAULTS: Mapping[Dialect, Mapping[str, Value]] = {
    Dialect.STREAM_API: {},
    Dialect.COMMUNITY: {
        "protocol": "community",
        "chunk_ms": 20,
        "deflate": True,
        "dtmf": False,
        "playback": False,
        "heartbeat_secs": 0,
        "ping_secs": 0,
        "subprotocol_name": "",
    },
}
"""By the attribute of a setting: the values that differ from the table's, or must not be set for all calls."""

FIXED: Mapping[Dialect, frozenset[str]] = {
    Dialect.STREAM_API: frozenset(),
    Dialect.COMMUNITY: frozenset({"protocol"}),
}
"""Attributes that cannot be set at all: metadata that need not be JSON fits no other protocol."""

VARIABLES: Mapping[Dialect, tuple[ForeignVariable, ...]] = {
    Dialect.STREAM_API: (),
    Dialect.COMMUNITY: (
        # The name says "message deflate" and the meaning is "disable message deflate".
        ForeignVariable("STREAM_MESSAGE_DEFLATE", "deflate", inverted=True),
        ForeignVariable("STREAM_HEART_BEAT", "ping_secs"),
        ForeignVariable("STREAM_SUPPRESS_LOG", "suppress_log"),
        ForeignVariable("STREAM_BUFFER_SIZE", "chunk_ms", exact=True, translate=leading_number),
        ForeignVariable("STREAM_EXTRA_HEADERS", "extra_headers", translate=usable_headers),
        ForeignVariable("STREAM_NO_RECONNECT", "reconnect", inverted=True),
        ForeignVariable("STREAM_RECONNECT_MAX", "reconnect_max"),
        ForeignVariable("STREAM_TLS_CA_FILE", "tls_ca_file"),
        ForeignVariable("STREAM_TLS_KEY_FILE", "tls_key_file"),
        ForeignVariable("STREAM_TLS_CERT_FILE", "tls_cert_file"),
        ForeignVariable("STREAM_TLS_DISABLE_HOSTNAME_VALIDATION", "skip_server_cert_hostname_check"),
        ForeignVariable("STREAM_PLAYBACK", "playback"),
        ForeignVariable("STREAM_SAMPLE_RATE", "sample_rate"),
        ForeignVariable("STREAM_FORMAT", "format"),
        ForeignVariable("STREAM_DTMF", "dtmf"),
        ForeignVariable("STREAM_DTMF_INBAND", "dtmf_inband"),
    ),
}
"""Channel variables that come before those of the settings' own names."""
