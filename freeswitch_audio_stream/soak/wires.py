"""What a soak's servers read of a connection, and what they say in it: one session for each connection."""

from __future__ import annotations

import base64
import struct

import numpy as np
import orjson

from ..audio import Samples, l16_to_samples, mulaw_to_samples, samples_to_l16, samples_to_mulaw

_RTP_HEADER, _RTP_VERSION, _MULAW = struct.Struct("!BBHII"), 0x80, 0
_RTP_SAMPLES, _SSRC = 160, 0x50AC
_AUDIO = 0x10  # the kind of an AudioSocket frame: linear samples at 8000 Hz


class Wire:
    """Audio as bare samples."""

    def read(self, message: str | bytes) -> Samples | None:
        """Return the audio in a message of the stream, int16; None if it is another message."""
        return l16_to_samples(message) if isinstance(message, bytes) else None

    def write(self, samples: Samples) -> list[str | bytes]:
        """Return the messages that have audio played to the caller."""
        return [samples_to_l16(samples)]


class JsonWire(Wire):
    """The stream API's messages."""

    def read(self, message: str | bytes) -> Samples | None:
        if isinstance(message, bytes) or not message.startswith('{"event":"media"'):
            return None
        return l16_to_samples(base64.b64decode(orjson.loads(message)["audio"]))

    def write(self, samples: Samples) -> list[str | bytes]:
        audio = base64.b64encode(samples_to_l16(samples)).decode()
        return [orjson.dumps({"event": "media.play", "payload": {"audioData": audio, "sampleRate": 8000}}).decode()]


class PlatformWire(Wire):
    """Twilio's messages, and its kin's."""

    def read(self, message: str | bytes) -> Samples | None:
        body = orjson.loads(message)
        if body["event"] != "media":
            return None
        return mulaw_to_samples(np.frombuffer(base64.b64decode(body["media"]["payload"]), np.uint8))

    def write(self, samples: Samples) -> list[str | bytes]:
        payload = base64.b64encode(samples_to_mulaw(samples).tobytes()).decode()
        return [orjson.dumps({"event": "media", "media": {"payload": payload}}).decode()]


class RtpWire(Wire):
    """RTP packets of mu-law; ours have 20 ms, numbered from near the end of the numbers on."""

    def __init__(self) -> None:
        self._sequence, self._timestamp = 0xFF00, 0xFFFFF000

    def read(self, message: str | bytes) -> Samples | None:
        assert isinstance(message, bytes)
        first, kind, *_ = _RTP_HEADER.unpack_from(message)
        assert first == _RTP_VERSION and kind & 0x7F == _MULAW, message[:_RTP_HEADER.size]
        return mulaw_to_samples(np.frombuffer(message, np.uint8, offset=_RTP_HEADER.size))

    def write(self, samples: Samples) -> list[str | bytes]:
        return [self._packet(samples[begin:begin + _RTP_SAMPLES]) for begin in range(0, len(samples), _RTP_SAMPLES)]

    def _packet(self, samples: Samples) -> bytes:
        header = _RTP_HEADER.pack(_RTP_VERSION, _MULAW, self._sequence, self._timestamp, _SSRC)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(samples)) & 0xFFFFFFFF
        return header + samples_to_mulaw(samples).tobytes()


class AudioSocketWire(Wire):
    """Frames of AudioSocket, each with its kind and without its length."""

    def read(self, message: str | bytes) -> Samples | None:
        assert isinstance(message, bytes)
        return l16_to_samples(message[1:]) if message[0] == _AUDIO else None

    def write(self, samples: Samples) -> list[str | bytes]:
        payload = samples_to_l16(samples)
        return [struct.pack("!BH", _AUDIO, len(payload)) + payload]
