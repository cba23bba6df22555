"""The FreeSWITCH of a soak: pairs of legs on 127.0.0.1, over SIP with L16, and streams on them."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from ..errors import SwitchError
from ..testing import FreeSwitch
from .kinds import TLS_SCHEMES, Kind

_CALLERS = 70000
_SECONDS = 20.0
# Reading is paced by the packets that come: FreeSWITCH's timer skips its ticks on a machine that stalls, and the
# packets that then wait are thrown away, which would be found as loss.
_DIALPLAN = """<extension name="soak"><condition field="destination_number" expression="^soak$">
<action application="set" data="rtp_timer_name=none"/><action application="answer"/><action application="park"/>
</condition></extension>"""


class SoakSwitch:
    """Started for the soak alone, and ended with it. One thread."""

    def __init__(self, prefix: Path, trusted: Path | None) -> None:
        """`trusted`: the certificate that servers with TLS show. Raise SwitchError if it does not start."""
        self._trusted = trusted
        self._folder = tempfile.TemporaryDirectory(prefix="audio-stream-soak-")
        self._server = FreeSwitch(prefix, Path(self._folder.name), _DIALPLAN)
        self._server.use_this_package()
        self._events = self._server.start()
        self._server.wait_for_module(self._events)
        self.pid = self._server.pid
        self._legs: dict[int, tuple[str, str]] = {}
        self._made = 0

    @property
    def has_crashed(self) -> bool:
        """Whether it ended by itself."""
        return self._server.has_crashed()

    def call(self, number: int, rate: int) -> None:
        """Make a call of L16 between two legs that are parked, in place of the one before."""
        self._made += 1
        caller = _CALLERS + self._made  # the legs of the call before may still be there
        variables = f"absolute_codec_string=L16@{rate}h,rtp_timer_name=none,origination_caller_id_number={caller}"
        answer = self._tell(f"originate {{{variables}}}sofia/internal/soak@127.0.0.1:{self._server.ports.sip} &park")
        calling = answer.split()[1]
        self._legs[number] = calling, self._called(caller, calling)

    def _called(self, caller: int, calling: str) -> str:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            for row in json.loads(self._events.api("show channels as json")).get("rows", []):
                if row["cid_num"] == str(caller) and row["uuid"] != calling and row["callstate"] == "ACTIVE":
                    return str(row["uuid"])
            time.sleep(0.05)
        raise SwitchError(f"call {caller} has not come up within {_SECONDS:g} s")

    def hang_up(self, number: int) -> None:
        """End the call of a line."""
        self._tell(f"uuid_kill {self._legs[number][0]}")

    def called(self, number: int) -> str:
        """Return the UUID of the leg whose stream is watched."""
        return self._legs[number][1]

    def start(self, number: int, kind: Kind, url: str) -> None:
        """Start a line's stream, to `url`."""
        self._start(self._legs[number][1], kind, url)

    def give_voice(self, number: int, kind: Kind, url: str) -> None:
        """Start the stream that is the mouth and the ear of the line's caller."""
        self._start(self._legs[number][0], kind, url)

    def _start(self, leg: str, kind: Kind, url: str) -> None:
        settings = {"protocol": kind.protocol, "tls-ca-file": self._trusted if kind.scheme in TLS_SCHEMES else ""}
        prefix = ",".join(f"{name}={value}" for name, value in settings.items() if value)
        self._tell(f"uuid_audio_stream {leg} soak start {'{' + prefix + '}' if prefix else ''}{url} "
                   f"inbound {kind.rate} 10 1")

    def stop(self, number: int) -> None:
        """Stop a line's stream, and wait until it has ended. Raise SwitchError if it had ended already."""
        self._tell(f"uuid_audio_stream {self._legs[number][1]} soak stop")
        deadline = time.monotonic() + _SECONDS
        while any(stream["uuid"] == self._legs[number][1] for stream in self.streams()):
            if time.monotonic() > deadline:
                raise SwitchError(f"the stream of line {number} has not ended within {_SECONDS:g} s of its stop")
            time.sleep(0.02)

    def streams(self) -> list[dict[str, object]]:
        """Return the status of all streams."""
        answer: list[dict[str, object]] = json.loads(self._events.api("uuid_audio_stream list"))
        return answer

    def _tell(self, command: str) -> str:
        answer = self._events.api(command)
        if not answer.startswith("+OK"):
            raise SwitchError(f"FreeSWITCH answers {answer.strip()!r} to: {command}")
        return answer

    def close(self) -> None:
        """End all calls and the process."""
        if not self.has_crashed:
            self._events.end_calls()
        self._events.close()
        self._server.stop()
        self._folder.cleanup()
