"""Conferences: a client gets a leg of its own, which joins, hears all participants, speaks for the client, and leaves.

The leg is a pair of loopback channels. One joins the conference, as a ghost, so that FreeSWITCH does not count it; the
other is parked, and the client's stream is attached to it: what that leg says is the mix of the conference, and what
is played to it is what the conference hears. A conference ends when its last participant leaves, but FreeSWITCH keeps
it as long as ghosts are in it: a watch hangs them up.
"""

from __future__ import annotations

import threading
import uuid as uuids
from typing import Callable

from ..errors import SwitchError
from ..threads import start_thread
from ..web.refusals import Refusal

Api = Callable[[str, str], str]
"""Runs a command of FreeSWITCH and returns what it wrote; may block; may raise SwitchError."""

_WATCH_SECONDS = 1.0
_JOIN_SECONDS = 5
_VARIABLES = (f"ignore_early_media=true,originate_timeout={_JOIN_SECONDS},loopback_bowout=false,"
              "loopback_bowout_on_execute=false,origination_caller_id_name=media_stream,"
              "origination_caller_id_number=media_stream,origination_callee_id_name=media_stream,"
              "origination_callee_id_number=media_stream")


class Conferences:
    """The legs of our clients. Methods may be called on any thread that may block."""

    def __init__(self, api: Api, on_fault: Callable[[BaseException], None]) -> None:
        self._api = api
        self._on_fault = on_fault
        self._legs: dict[str, tuple[str, str]] = {}
        """By the UUID of the parked channel: the conference, and the UUID of the channel in it."""
        self._changed = threading.Condition()
        self._open = True
        self._watch: threading.Thread | None = None

    def join(self, name: str) -> str:
        """Make a leg to attach to, and return its UUID; `name` is_conference_name. Raise Refusal, SwitchError."""
        if not self._has_people(name):
            raise Refusal(404, "there is no such conference: nobody is in it")
        member = str(uuids.uuid4())
        answer = self._api("originate", f"{{origination_uuid={member},{_VARIABLES}}}"
                                        "loopback/m:^:answer^park/default/inline "
                                        f"&conference({name}+flags{{ghost}})")
        if not answer.startswith("+OK"):
            raise SwitchError(f"FreeSWITCH could not make a leg for the conference ({answer}): is mod_loopback loaded?")
        parked = self._api("uuid_getvar", f"{member} other_loopback_leg_uuid")
        with self._changed:
            self._legs[parked] = name, member
            self._start_watch()
        if not self._has_people(name):  # they have left meanwhile, and the leg has made a conference of its own
            self.leave(parked)
            raise Refusal(404, "there is no such conference: its last participant has just left")
        return parked

    def leave(self, parked: str) -> None:
        """Hang a leg up; one that is gone already is no error."""
        with self._changed:
            _, member = self._legs.pop(parked, ("", ""))
            self._changed.notify_all()
        if member:
            self._api("uuid_kill", member)

    def stop(self) -> None:
        """Hang all legs up, and end the watch."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
            watch, legs = self._watch, list(self._legs)
        for parked in legs:
            self.leave(parked)
        if watch is not None:
            watch.join(_WATCH_SECONDS)

    def _has_people(self, name: str) -> bool:
        answer = self._api("conference", f"{name} get count")
        return answer.isdigit() and int(answer) > 0

    def _start_watch(self) -> None:
        if self._watch is None or not self._watch.is_alive():
            self._watch = start_thread("audio-stream-conferences", self._run)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not (self._open and self._legs), _WATCH_SECONDS)
                if not (self._open and self._legs):
                    self._watch = None
                    return
                names = {name for name, _ in self._legs.values()}
            try:
                self._hang_up_in({name for name in names if not self._has_people(name)})
            except SwitchError as error:  # mod_conference is being unloaded, or a defect
                self._on_fault(error)

    def _hang_up_in(self, deserted: set[str]) -> None:
        with self._changed:
            legs = [parked for parked, (name, _) in self._legs.items() if name in deserted]
        for parked in legs:
            self.leave(parked)
