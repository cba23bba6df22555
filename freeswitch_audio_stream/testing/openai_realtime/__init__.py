"""A local server of OpenAI's Realtime protocol, written from its public description; it shares no code with our client.

    dialects.py     the same in the words of other services
    voice_live.py   their messages against the models of the package azure-ai-voicelive
    validation.py   every message, in both directions, against the types of the package openai
    script.py       what the model says, and when it fails
    speech.py       when the caller speaks: the server's voice activity detection
    items.py        the conversation of a session
    responses.py    how a response is made, message by message
    session.py      one session: what each message of the client does
    server.py       the server: keys, connections
"""

from __future__ import annotations

from .dialects import AZURE, OPENAI, XAI, ServerDialect
from .items import Item
from .script import Failure, Reply, Script, Turn
from .server import RealtimeServer
from .session import ServerSession
from .validation import check_client_message, check_server_message

__all__ = ["AZURE", "OPENAI", "XAI", "Failure", "Item", "RealtimeServer", "Reply", "Script", "ServerDialect",
           "ServerSession", "Turn", "check_client_message", "check_server_message"]
