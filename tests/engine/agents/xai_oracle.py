"""Run by pipecat's Python: whether messages are those of xAI's Voice Agent API, as pipecat's models have them.

Reads a JSON list of ``[is_client, message]``; prints what is wrong, a line each.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

from pipecat.services.xai.realtime import events


def _models(base: Any) -> dict[str, Any]:
    return {model.model_fields["type"].default: model for _, model in inspect.getmembers(events, inspect.isclass)
            if issubclass(model, base) and model is not base}


_CLIENT = _models(events.ClientEvent)


def _fault(is_client: bool, message: dict[str, Any]) -> str:
    if not is_client:
        kept = events.parse_server_event(json.dumps(message)).model_dump(exclude_unset=True)
    elif message["type"] in _CLIENT:
        kept = _CLIENT[message["type"]].model_validate(message).model_dump(exclude_unset=True)
    else:
        return f"no client sends {message['type']}"
    return "" if kept == message else f"something is unknown in {message}: known is {kept}"


for is_client, text in json.load(sys.stdin):
    try:
        fault = _fault(is_client, json.loads(text))
    except Exception as error:  # of whatever kind: the test shows it
        fault = repr(error)
    if fault:
        print(fault[:500])
