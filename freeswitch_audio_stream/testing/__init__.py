"""A FreeSWITCH of our own, for the demo, the benchmarks and the live tests.

    instance.py        an installed FreeSWITCH, started with its own folders and ports on 127.0.0.1, and ended again
    configuration.py   the configuration it is started with
    event_socket.py    commands to it and events from it
"""

from .event_socket import EventSocket
from .freeswitch import FreeSwitch, find_prefix

__all__ = ["EventSocket", "FreeSwitch", "find_prefix"]
