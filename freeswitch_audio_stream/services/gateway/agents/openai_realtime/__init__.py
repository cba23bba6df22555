"""The agent ``openai-realtime``: a model that hears and speaks, over OpenAI's Realtime protocol.

    options.py        what a profile has: beside the protocol's options, where the service and its key are
    agent.py          the agent: carries out what the session says
    upstream.py       sessions one after the other: connected, renewed, connected again
    connection.py     one connection to the service
    conversion.py     the gateway's audio and the service's
    playback.py       which audio of which item the caller has heard
    recent_audio.py   the caller's audio that a new session has to hear again
    functions.py      functions that the model calls
"""

from __future__ import annotations

from .agent import OpenAIRealtime

__all__ = ["OpenAIRealtime"]
