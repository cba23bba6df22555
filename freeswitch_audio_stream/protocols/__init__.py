"""Wire protocols: one file each, a format and the session that speaks it (see `session`).

    messages.py         the nouns: what goes out, what comes in
    session.py          what a format has to provide
    reading.py          checks of what a server has sent
    stream_api.py       json and binary
    community.py        community
    encapsulations.py   rtp and sln: nothing but audio
    audiosocket.py      audiosocket: over a WebSocket, and over TCP
    http_streaming.py   http: the HTTP streaming API
    recorder.py         recorder: the recording service
    agent_functions.py  functions that we carry out for a speech agent
    agents/             speech agents: services of a model that hears and speaks
    platforms/          those of telephony platforms
    openai_realtime/    openai-realtime, xai-realtime, azure-voice-live: one of them, which the gateway
                        speaks as well
"""

from __future__ import annotations

from typing import Mapping

from .agents import AGENTS, AgentProtocol
from .audiosocket import AUDIOSOCKET, AUDIOSOCKET_TCP
from .community import COMMUNITY
from .encapsulations import RTP, SLN
from .http_streaming import HTTP
from .openai_realtime.wire_protocol import REALTIME
from .platforms import PLATFORMS
from .recorder import RECORDER
from .session import Carrier, ProtocolSession, WireProtocol
from .stream_api import BINARY, JSON

__all__ = ["ENCAPSULATIONS", "PROTOCOLS", "SCHEMES", "AgentProtocol", "Carrier", "ProtocolSession", "WireProtocol"]

PROTOCOLS: dict[str, WireProtocol] = {protocol.name: protocol for protocol in (
    JSON, BINARY, COMMUNITY, RTP, SLN, AUDIOSOCKET, RECORDER, *REALTIME, *AGENTS, *PLATFORMS)}
"""Protocols by the value of the setting `protocol` that selects them."""

SCHEMES: Mapping[str, WireProtocol] = {"audiosocket": AUDIOSOCKET_TCP, "http": HTTP, "https": HTTP}
"""Protocols by the URL scheme that selects them, whatever the setting `protocol` says."""

ENCAPSULATIONS: tuple[str, ...] = tuple(name for name, protocol in PROTOCOLS.items() if protocol.encapsulation)
"""Names of the protocols whose messages carry audio only."""
