"""Calls of functions by the model behind a server: of the application's, and of those that we carry out."""

from __future__ import annotations

from typing import Callable

import orjson

from ...protocols.agent_functions import FUNCTIONS
from ...protocols.messages import ToolCall
from ..events.reports import Reporter
from .call_control import CallControl
from .playback.player import Player


class ToolCalls:
    """Of one stream; only on its dispatcher."""

    def __init__(self, control: CallControl, player: Player, reporter: Reporter,
                 answer: Callable[[str, str], None]) -> None:
        """`answer` tells the model what came of a call."""
        self._control = control
        self._player = player
        self._reporter = reporter
        self._answer = answer

    def take(self, call: ToolCall) -> None:
        """Tell the application; or carry it out when the caller has heard what was said before, where that is ours and
        allowed.
        """
        function = FUNCTIONS.get(call.name)
        if function is None or not self._control.allows(function.action):
            self._reporter.fire("agent_tool_call", toolCallId=call.call_id, function=call.name,
                                arguments=call.arguments)
            return
        try:
            asked = function.asked(call)
        except ValueError as error:
            self._tell(call, str(error))
            return
        self._player.when_heard(lambda: self._tell(call, self._control.obey(asked)))

    def _tell(self, call: ToolCall, refusal: str | None) -> None:
        outcome = {"done": True} if refusal is None else {"done": False, "reason": refusal}
        self._answer(call.call_id, orjson.dumps(outcome).decode())
