"""The contract's environment inside a real FreeSWITCH, for a script that runs there under mod_python3.

It needs mod_commands, mod_loopback, mod_dptools, mod_tone_stream and mod_event_socket (for fs_cli), and a
dialplan in context ``default`` that answers the number ``tone`` and plays a tone for ever.
"""

from __future__ import annotations

import subprocess
import uuid as uuids
from typing import Sequence

from freeswitch_audio_stream.switch import Switch

_APPLICATIONS = {"park": "&park()", "playback": "&playback(silence_stream://-1)"}


class Real:
    """Calls are loopback legs; commands go through fs_cli, because an API call from inside would hold the
    GIL while media threads wait for it.
    """

    def __init__(self, fs_cli: Sequence[str]) -> None:
        """`fs_cli` is its command line as far as ``-x``."""
        self.switch = Switch()
        self._fs_cli = fs_cli

    def command(self, line: str) -> str:
        return subprocess.run([*self._fs_cli, "-x", line], capture_output=True, text=True, check=True).stdout

    def call(self, app: str) -> str:
        uuid = str(uuids.uuid4())
        answer = self.command(f"originate {{origination_uuid={uuid},absolute_codec_string=PCMU}}"
                              f"loopback/tone/default/xml {_APPLICATIONS[app]}")
        assert "+OK" in answer, answer
        return uuid

    def hang_up(self, uuid: str) -> None:
        self.command(f"uuid_kill {uuid}")

    def press(self, uuid: str, digit: str) -> None:
        # The tilde has the digit treated like one from the network; without it hooks do not see it.
        self.command(f"uuid_recv_dtmf {uuid} ~{digit}")
