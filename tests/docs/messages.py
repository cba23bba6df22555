"""Messages of a stream, for tests of what pages say of them."""

from __future__ import annotations

from freeswitch_audio_stream.audio import Encoding, Track
from freeswitch_audio_stream.protocols.messages import ACCOUNT_VARIABLES, MediaTemplate, Running, StreamInfo


def info() -> StreamInfo:
    account = {name: "x" for name in ACCOUNT_VARIABLES}
    return StreamInfo("demo", "u", Track.BOTH, Encoding.L16, 8000, 2, None, account)


def filled(template: MediaTemplate, payload: bytes = b"") -> bytes:
    """The message, with 1 in its running fields."""
    return b"".join(part if isinstance(part, bytes) else payload if part is Running.PAYLOAD else b"1"
                    for part in template.parts)
