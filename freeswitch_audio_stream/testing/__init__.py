"""What tests, demo and benchmarks share: a FreeSWITCH of our own, and peers to talk to.

    freeswitch.py                 an installed FreeSWITCH, started with folders and ports of its own on 127.0.0.1
    freeswitch_configuration.py   the configuration it is started with
    port_range.py                 ports for its RTP that no other one on this machine has
    event_socket.py               commands to it and events from it
    peers/                        servers for our client, each a parser of its own
    agents/                       local servers of speech agents
    unknown_keys.py               what a message has that its type does not know
    openai_realtime/              a local server of OpenAI's Realtime protocol
"""

from .event_socket import EventSocket
from .freeswitch import FreeSwitch, find_prefix

__all__ = ["EventSocket", "FreeSwitch", "find_prefix"]
