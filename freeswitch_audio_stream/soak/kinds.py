"""The kinds of streams that a soak has: how one is started, what its server reads, and what that says."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Callable

import numpy as np
import orjson

from ..audio import Samples, l16_to_samples, mulaw_to_samples, samples_to_l16, samples_to_mulaw


@dataclass(frozen=True)
class Kind:
    """A wire protocol, two-way, at 8000 Hz."""

    name: str
    """Of the setting `protocol`."""
    read: Callable[[str | bytes], Samples | None]
    """Return the audio in a message of the stream, int16; None if it is another message."""
    write: Callable[[Samples], str | bytes]
    """Return the message that has audio played to the caller."""


def _read_json(message: str | bytes) -> Samples | None:
    if isinstance(message, bytes) or not message.startswith('{"event":"media"'):
        return None
    return l16_to_samples(base64.b64decode(orjson.loads(message)["audio"]))


def _write_json(samples: Samples) -> str:
    audio = base64.b64encode(samples_to_l16(samples)).decode()
    return orjson.dumps({"event": "media.play", "payload": {"audioData": audio, "sampleRate": 8000}}).decode()


def _read_bytes(message: str | bytes) -> Samples | None:
    return l16_to_samples(message) if isinstance(message, bytes) else None


def _read_platform(message: str | bytes) -> Samples | None:
    body = orjson.loads(message)
    if body["event"] != "media":
        return None
    return mulaw_to_samples(np.frombuffer(base64.b64decode(body["media"]["payload"]), np.uint8))


def _write_platform(samples: Samples) -> str:
    payload = base64.b64encode(samples_to_mulaw(samples).tobytes()).decode()
    return orjson.dumps({"event": "media", "media": {"payload": payload}}).decode()


_PLATFORMS = ("twilio", "telnyx", "signalwire")
KINDS = {kind.name: kind for kind in (
    Kind("json", _read_json, _write_json), Kind("binary", _read_bytes, samples_to_l16),
    Kind("sln", _read_bytes, samples_to_l16),
    *(Kind(name, _read_platform, _write_platform) for name in _PLATFORMS))}
"""By name."""
CALLER = Kind("binary", _read_bytes, samples_to_l16)
"""Of the stream on the other leg: the caller's mouth and ear."""
