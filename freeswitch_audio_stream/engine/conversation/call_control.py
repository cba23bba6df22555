"""What a server wants done with the call itself: told by an event, and done where the settings allow it."""

from __future__ import annotations

import re
from typing import Callable

from ...config import StreamSettings
from ...errors import AudioStreamError
from ...protocols.messages import CallAction, ControlCall
from ...threads import start_thread
from ..call import Call
from ..dispatch.schedule import Job
from ..events.reports import Reporter

WORDS = {CallAction.HANG_UP: "hangup", CallAction.TRANSFER: "transfer", CallAction.SEND_DIGITS: "dtmf",
         CallAction.ANSWER: "answer"}
"""What the setting `call-control` calls them."""
_DIGITS = re.compile(r"[0-9*#A-Da-dwW]{1,64}")


class CallControl:
    """Of one stream; only on its dispatcher. Commands of the switch run on threads of their own."""

    def __init__(self, call: Call, settings: StreamSettings, reporter: Reporter, post: Callable[[Job], None]) -> None:
        """`post` runs a job on the dispatcher."""
        self._call = call
        self._allowed = settings.call_actions
        self._destinations = settings.transfer_places
        self._reporter = reporter
        self._post = post

    def allows(self, action: CallAction) -> bool:
        """Return whether the settings allow it."""
        return WORDS[action] in self._allowed

    def obey(self, message: ControlCall) -> str | None:
        """Do it or not, and tell of it; return why it is not done."""
        refusal = self._refusal(message)
        self._reporter.fire("call_control", action=message.action.value, argument=message.argument or None,
                            done=refusal is None, reason=refusal)
        if refusal is None:
            start_thread("audio-stream-control", lambda: self._run(*self._command(message)))
        return refusal

    def _refusal(self, message: ControlCall) -> str | None:
        """Return why it is not done; None where it is."""
        word = WORDS[message.action]
        if word not in self._allowed:
            return f"call-control does not allow {word}"
        if message.action is CallAction.TRANSFER and message.argument not in self._destinations:
            return "transfer-destinations does not name the destination"
        if message.action is CallAction.SEND_DIGITS and not _DIGITS.fullmatch(message.argument):
            return "these are not 1 to 64 digits: use 0-9, *, #, A-D, and w for half a second without one"
        return None

    def _command(self, message: ControlCall) -> tuple[str, str]:
        """Return a command of the switch, and its arguments."""
        uuid = self._call.uuid
        if message.action is CallAction.HANG_UP:
            return "uuid_kill", uuid
        if message.action is CallAction.ANSWER:
            return "uuid_answer", uuid
        if message.action is CallAction.SEND_DIGITS:
            return "uuid_send_dtmf", f"{uuid} {message.argument}"
        extension, _, context = self._destinations[message.argument].partition("@")
        return "uuid_transfer", f"{uuid} {extension} XML {context}" if context else f"{uuid} {extension}"

    def _run(self, command: str, arguments: str) -> None:
        try:
            answer = self._call.api(command, arguments)
        except AudioStreamError as error:
            answer = f"-ERR {error}"
        if answer.startswith("-"):
            self._post(lambda: self._reporter.error("call_control", f"{command} has failed: {answer}"))
