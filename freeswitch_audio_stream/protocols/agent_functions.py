"""Functions that a speech agent may call and that we carry out ourselves, where the setting `call-control` allows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import orjson

from .messages import CallAction, ControlCall, ToolCall


@dataclass(frozen=True)
class Function:
    """One of them."""

    word: str
    """What `call-control` calls it."""
    action: CallAction
    description: str
    parameter: str
    """Its one parameter."""
    meaning: str
    is_required: bool = True

    def declared(self, places: Sequence[str]) -> dict[str, Any]:
        """Return it as a model is told of it; `places` are where calls may be transferred to."""
        schema: dict[str, Any] = {"type": "string", "description": self.meaning}
        if self.action is CallAction.TRANSFER:
            schema["enum"] = list(places)
        return {"name": name_of(self), "description": self.description, "parameters": {
            "type": "object", "properties": {self.parameter: schema},
            "required": [self.parameter] if self.is_required else []}}

    def asked(self, call: ToolCall) -> ControlCall:
        """Return what a call of it asks for; raise ValueError, with what would be right, if that cannot be read."""
        try:
            arguments = orjson.loads(call.arguments or "{}")
        except orjson.JSONDecodeError as error:
            raise ValueError(f"the arguments are not JSON: {error}") from error
        value = arguments.get(self.parameter, "") if isinstance(arguments, dict) else None
        if not isinstance(value, str) or self.is_required and not value:
            raise ValueError(f"{self.parameter} is to be a text")
        return ControlCall(self.action, value)


FUNCTIONS = {
    "hang_up": Function("hangup", CallAction.HANG_UP, "End the call, after you have said goodbye.", "reason",
                        "Why the call is ended.", is_required=False),
    "transfer_call": Function("transfer", CallAction.TRANSFER, "Transfer the caller to somebody else.", "destination",
                              "Where to."),
    "send_digits": Function("dtmf", CallAction.SEND_DIGITS, "Press keys of the telephone.", "digits",
                            "0-9, *, # and A-D; w waits for half a second."),
}
"""By the names that models call."""


def name_of(function: Function) -> str:
    """Return the name that models call."""
    return next(name for name, one in FUNCTIONS.items() if one is function)
