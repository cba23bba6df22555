"""Ranges of UDP ports for RTP, of which each FreeSWITCH on a machine needs its own.

FreeSWITCH binds with SO_REUSEADDR: of two that use one port, one gets the other's audio, and nobody is told.
"""

from __future__ import annotations

import socket
import weakref

from ..errors import SwitchError

_FIRST, _PORTS, _RANGES = 10000, 4000, 10


class PortRange:
    """Claimed from all processes of this machine, for as long as this object lives. Raise SwitchError if none is left.

    The claim is an abstract Unix socket, which no process leaves behind.
    """

    def __init__(self) -> None:
        for number in range(_RANGES):
            claim = socket.socket(socket.AF_UNIX)
            try:
                claim.bind(f"\0freeswitch-audio-stream-rtp-{number}")
            except OSError:
                claim.close()
                continue
            weakref.finalize(self, claim.close)
            self.first = _FIRST + _PORTS * number
            self.last = self.first + _PORTS - 1
            return
        raise SwitchError(f"{_RANGES} FreeSWITCH of tests run here already: there are no ports left for another's RTP")
