"""Functions that the model of the tests calls."""

from __future__ import annotations

import asyncio
from typing import Any

from freeswitch_audio_stream.services.gateway.agents import Conversation


def stock(arguments: dict[str, Any], call: Conversation) -> dict[str, Any]:
    return {"article": arguments["article"], "left": 7, "for": call.caller_number}


async def stock_soon(arguments: dict[str, Any], call: Conversation) -> dict[str, Any]:
    await asyncio.sleep(0)
    return stock(arguments, call)


def broken(arguments: dict[str, Any], call: Conversation) -> None:
    raise LookupError("no such article")


async def slow(arguments: dict[str, Any], call: Conversation) -> None:
    await asyncio.sleep(3600)


def unwritable(arguments: dict[str, Any], call: Conversation) -> object:
    return object()


number = 5
