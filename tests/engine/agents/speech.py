"""What a caller and an agent say, and what was told of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from freeswitch_audio_stream.audio import Encoding, Samples, decode, encode
from freeswitch_audio_stream.simulator import EmbeddedCall

from ..harness import Platform, noise

SPEECH = np.concatenate([noise(3200, 9), np.zeros(8000, np.int16)])
"""Of a caller: 0.4 s and a second of silence, of 8,000 Hz."""


def voice(seed: int, seconds: float) -> Samples:
    """An answer of 8,000 Hz, as mu-law leaves it, without a zero."""
    made = noise(int(8000 * seconds), seed)
    return decode(encode((made + np.sign(made) * 100).astype(np.int16), Encoding.MULAW), Encoding.MULAW)


def lines(platform: Platform, call: EmbeddedCall) -> list[tuple[str, str]]:
    """Who has said what so far."""
    payloads = [event["payload"] for event in platform.events("transcription_received", call)]
    return [(payload["speaker"], payload["text"]) for payload in payloads if not payload.get("interrupted")]


def told_nowhere(platform: Platform, call: EmbeddedCall, secret: str) -> bool:
    """Whether a secret is in no event and no line of the log."""
    return not (any(secret in line.text for line in platform.switch.log_lines)
                or any(secret in str(event.body) for event in list(platform.switch.events))
                or secret in str(platform.status(call)))


def start(platform: Platform, url: str, protocol: str, key: str, rate: str = "mulaw 8000", metadata: str = "",
          speed: float = 2, **settings: Any) -> EmbeddedCall:
    """A call that has an agent; `settings` are of its stream."""
    call = platform.call(app="playback", speed=speed, variables={"MOD_AUDIO_STREAM_API_KEY": key})
    prefix = ",".join([f"protocol={protocol}", *(f"{name}={value}" for name, value in settings.items())])
    platform.start(call, "{" + prefix + "}" + url, rate=rate, metadata=metadata)
    return call
