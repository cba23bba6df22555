"""Agents of the gateway: what answers a caller.

    interface.py         what an agent is, and what it answers with: for those who write one
    registry.py          the agents that are installed, by name
    profiles.py          what an aiAgentRef stands for
    echo.py              the agent that repeats the caller
    openai_realtime/     a model that hears and speaks
"""

from __future__ import annotations

from .interface import BYTES_PER_MS, SAMPLE_RATE, Agent, AgentProfile, Conversation, Line, Output, Speaker
from .profiles import Choice, Profiles
from .registry import agent_class, create, installed

__all__ = ["BYTES_PER_MS", "SAMPLE_RATE", "Agent", "AgentProfile", "Choice", "Conversation", "Line", "Output",
           "Profiles", "Speaker", "agent_class", "create", "installed"]
