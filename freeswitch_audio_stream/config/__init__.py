"""Settings: what there is to set, and whose word counts.

A value may be given in five places; each overrides the ones before it: the default,
``audio_stream.conf.xml``, the environment, a channel variable, and a ``{name=value,…}`` prefix on the URL of
``start``. A stream must not fail for a slip in a file that somebody wrote long ago, so only a prefix, which
is part of the command, is refused; elsewhere a value that cannot be used is warned about and passed over. A
channel variable without which the call's server would refuse it is refused like a prefix. A number out of
range is warned about and clamped anywhere.

Streams of the community dialect have some defaults of their own, see `dialects`. Nothing here looks at a
file, the environment or a channel: they are arguments. Any thread may call it.
"""

from __future__ import annotations

from .dialects import OWN_DEFAULTS, VARIABLES, Dialect, ForeignVariable, Value
from .file import FILE, parse_xml
from .layers import resolve
from .prefix import split_prefix
from .readers import CA_NONE, ORIGIN_NONE
from .table import SETTINGS, Setting, Settings, find

__all__ = ["CA_NONE", "FILE", "ORIGIN_NONE", "OWN_DEFAULTS", "SETTINGS", "VARIABLES", "Dialect", "ForeignVariable",
           "Setting", "Settings", "Value", "find", "parse_xml", "resolve", "split_prefix"]
