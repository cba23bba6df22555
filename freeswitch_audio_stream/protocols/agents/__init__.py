"""Speech agents: services of a model that hears and speaks, a file each, as sessions that do no I/O.

    options.py         what there is to choose, and readers of values
    agent_protocol.py  what they have in common
    deepgram.py        deepgram-agent: Deepgram's Voice Agent API
    elevenlabs.py      elevenlabs: an agent of ElevenLabs
    gemini.py          gemini-live: Google's Gemini Live API
    openai_live.py     openai-live: OpenAI's Live API

OpenAI's Realtime protocol and its dialects are in a folder of their own, since the gateway speaks it, too.
"""

from __future__ import annotations

from .agent_protocol import AgentProtocol
from .deepgram import DEEPGRAM
from .elevenlabs import ELEVENLABS
from .gemini import GEMINI
from .openai_live import LIVE

__all__ = ["AGENTS", "AgentProtocol"]

AGENTS: tuple[AgentProtocol, ...] = (DEEPGRAM, ELEVENLABS, GEMINI, LIVE)
