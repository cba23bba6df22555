"""What a platform's server reads and sends, for its tests."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from freeswitch_audio_stream.audio import Encoding, Track
from freeswitch_audio_stream.protocols import PROTOCOLS, ProtocolSession
from freeswitch_audio_stream.protocols.messages import Identity, MediaTemplate, OutMessage, Running, StreamInfo

UUID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
HEX = UUID.replace("-", "")
NONCE = "00112233445566778899aabbccddeeff"
METADATA = '{"customer":"Ann","vip":true}'


def info(name: str, rate: int = 8000, track: Track = Track.INBOUND, encoding: Encoding = Encoding.L16,
         metadata: str | None = METADATA, **identity: str) -> StreamInfo:
    """A stream as planning makes it for a protocol: with the track and encoding that the protocol carries."""
    track, encoding = PROTOCOLS[name].carried(track, encoding, rate)
    names = Identity(**{"nonce": NONCE, "caller": "+4930123456", "callee": "1000", **identity})
    return StreamInfo("s1", UUID, track, encoding, rate, 2 if track is Track.STEREO else 1, metadata, identity=names)


def session(name: str, **options: Any) -> ProtocolSession:
    return PROTOCOLS[name].open(info(name, **options))


def text(message: OutMessage, sequence: int = 7) -> str:
    """The message as it leaves, with this sequence number where it has one."""
    number = b"" if message.tail is None else str(sequence).encode() + message.tail
    return (message.head + number).decode()


def read(message: OutMessage, sequence: int = 7) -> Any:
    return orjson.loads(text(message, sequence))


def media(template: MediaTemplate, payload: bytes = b"\xff\x7f", sequence: int = 3, chunk: int = 2,
          timestamp: int = 20) -> Any:
    """A media message as the compiled core fills it in."""
    running = {Running.SEQUENCE: str(sequence).encode(), Running.CHUNK: str(chunk).encode(),
               Running.TIMESTAMP: str(timestamp).encode(), Running.PAYLOAD: base64.b64encode(payload)}
    return orjson.loads(b"".join(part if isinstance(part, bytes) else running[part] for part in template.parts))
