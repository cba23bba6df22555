"""Settings: what there is to set, and whose word counts.

    table.py                 rows and tables
    given.py                 one text that was given: to the value, or to what is wrong with it
    resolution.py            from a table and its sources to values and complaints
    sources.py               sources that programs share: environment, file, options
    environment_file.py      reads .env files
    stream_settings.py       the table of a stream,
    module_settings.py       of the module,
    http_server_settings.py  and of its HTTP server
    layers.py                where these three are given
    file.py                  … in FreeSWITCH's XML,
    prefix.py                in front of a URL,
    variables.py             as variables of FreeSWITCH,
    dialects.py              and by which names in which grammar
    readers.py               texts that have a form of their own
    profiles.py              agents' profiles: files, which are read when one is named

Any program has settings by the first five: see `table` and `resolution`. Inside FreeSWITCH, a
value may be given in five places; each overrides the ones before it: the default, ``audio_stream.conf.xml``, the
environment, a channel variable, and a ``{name=value,…}`` prefix on the URL of ``start``. The last two belong to a call,
and set its stream only. A stream must not fail for a slip in a file that somebody wrote long ago, so only a prefix,
which is part of the command, is refused; elsewhere a value that cannot be used is warned about and passed over. A
channel variable without which the call's server would refuse it is refused like a prefix. A number out of range is
warned about and clamped anywhere.

Streams of the community dialect have some defaults of their own, see `dialects`. Nothing here but `profiles` looks
at a file, the environment or a channel: they are arguments. Nothing else blocks. Any thread may call it.
"""

from __future__ import annotations

from .dialects import OWN_DEFAULTS, VARIABLES, Dialect, ForeignVariable
from .environment_file import parse_environment_file
from .file import FILE, parse_xml
from .given import Given
from .http_server_settings import HTTP_SERVER, HttpServerSettings
from .layers import TABLES, resolve_shared, resolve_stream
from .module_settings import MODULE, ModuleSettings
from .prefix import split_prefix
from .profiles import read_profile
from .readers import CA_NONE, ORIGIN_NONE
from .resolution import Source, resolve
from .sources import ConfigurationFile, Environment, Options, add_options
from .stream_settings import STREAM, StreamSettings
from .table import Setting, Table, Value, setting
from .variables import ALIASES

__all__ = ["ALIASES", "CA_NONE", "FILE", "HTTP_SERVER", "MODULE", "ORIGIN_NONE", "OWN_DEFAULTS", "STREAM", "TABLES",
           "VARIABLES", "ConfigurationFile", "Dialect", "Environment", "ForeignVariable", "Given",
           "HttpServerSettings", "ModuleSettings", "Options", "Setting", "Source", "StreamSettings", "Table", "Value",
           "add_options", "parse_environment_file", "parse_xml", "read_profile", "resolve", "resolve_shared",
           "resolve_stream", "setting", "split_prefix"]
