"""Functions that the model calls: answered by a webhook, by a Python callable, or only written down."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from typing import Any, Awaitable, Callable, Mapping, Sequence

import orjson

from .....errors import AgentError
from ..interface import Conversation
from .options import Tool

MOST_BYTES = 1 << 20
"""Of a webhook's answer."""
NOTED = {"status": "noted"}
"""What the model is told of a call that nobody answers: the client gets it as an action."""
_LONGEST_FAULT = 500


def check(tools: Sequence[Tool]) -> None:
    """Raise ValueError where a callable, or what webhooks need, is not there."""
    for tool in tools:
        if tool.python:
            try:
                _callable(tool.python)
            except AgentError as error:
                raise ValueError(f"tools: {tool.name}: {error}") from error
        if tool.webhook:
            try:
                importlib.import_module("httpx")
            except ImportError as error:
                raise ValueError(f"tools: {tool.name}: webhooks need httpx: pip install httpx") from error


def _callable(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever a foreign module does when it is imported
        raise AgentError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise AgentError(f"{place} cannot be called")
    return found  # type: ignore[no-any-return]


class Functions:
    """The functions of one conversation. On the event loop; nothing blocks it."""

    def __init__(self, tools: Sequence[Tool], conversation: Conversation) -> None:
        self._tools: Mapping[str, Tool] = {tool.name: tool for tool in tools}
        self._conversation = conversation

    async def call(self, name: str, arguments: str) -> Any:
        """Return what a function answers, as JSON values. What goes wrong becomes ``{"error": …}``: the model can say
        so, or try again.
        """
        tool = self._tools.get(name)
        try:
            given = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError as error:
            return {"error": f"the arguments are not JSON: {error}"}
        if tool is None:
            return {"error": f"there is no function {name[:64]}"}
        try:
            return await asyncio.wait_for(self._answer(tool, given), tool.timeout_secs)
        except asyncio.TimeoutError:
            return {"error": f"{name} has not answered within {tool.timeout_secs} s"}
        except Exception as error:  # whatever a foreign function does
            return {"error": f"{type(error).__name__}: {error}"[:_LONGEST_FAULT]}

    async def _answer(self, tool: Tool, given: Any) -> Any:
        if tool.python:
            return _plain(await _call_python(_callable(tool.python), given, self._conversation))
        if tool.webhook:
            return await self._post(tool, given)
        return NOTED

    async def _post(self, tool: Tool, given: Any) -> Any:
        import httpx  # only webhooks need it
        call = self._conversation
        body = {"function": tool.name, "arguments": given, "callId": call.call_id, "tenantId": call.tenant_id,
                "storeId": call.store_id, "did": call.did, "callerNumber": call.caller_number}
        async with httpx.AsyncClient(timeout=tool.timeout_secs) as client:  # which follows no redirects
            async with client.stream("POST", tool.webhook, json=body, headers=dict(tool.headers or {})) as answer:
                content = bytearray()
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > MOST_BYTES:
                        return {"error": f"the answer has more than {MOST_BYTES} bytes"}
        if answer.status_code // 100 != 2:
            return {"error": f"the webhook answers {answer.status_code}"}
        try:
            return orjson.loads(content) if content else None
        except orjson.JSONDecodeError:
            return content.decode(errors="replace")


async def _call_python(function: Callable[..., Any], given: Any, conversation: Conversation) -> Any:
    """Coroutine functions run here; others on a thread, which may block."""
    if inspect.iscoroutinefunction(function):
        return await function(given, conversation)
    result = await asyncio.to_thread(function, given, conversation)
    return await result if isinstance(result, Awaitable) else result


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; raise where it cannot be."""
    return orjson.loads(orjson.dumps(value))
