"""A caller on the gateway's HTTP API, whose time passes with each piece of audio, and who knows what was heard."""

from __future__ import annotations

import base64
from typing import Callable

import numpy as np

from freeswitch_audio_stream.audio import Samples
from tests.engine.harness import noise
from tests.services.gateway.harness import Site

TICK_MS = 100
TICK_BYTES = 3200
SILENCE = bytes(TICK_BYTES)
PATIENT_TICKS = 3000


def speech(seed: int) -> bytes:
    """100 ms of a loud voice."""
    return noise(1600, seed, 8000).astype("<i2").tobytes()


class Caller:
    """Posts 100 ms, polls all there is, plays 100 ms, and again."""

    def __init__(self, site: Site, call: str = "call", profile: str = "") -> None:
        self._site, self._call = site, call
        self.heard = bytearray()
        """All that was played to the caller, without the silence between."""
        self.transcripts: list[str] = []
        self.clears = 0
        self._queue = bytearray()
        assert site.create(call, aiAgentRef=profile)[0] == 200

    @property
    def heard_ms(self) -> int:
        return len(self.heard) // 32

    @property
    def waiting_ms(self) -> int:
        """How much has come and was not played."""
        return len(self._queue) // 32

    def tick(self, said: bytes = SILENCE, patience_ms: int = 10, plays: bool = True) -> None:
        """100 ms pass. An answer of the gateway is waited for so long. Nothing is heard unless it `plays`."""
        assert self._site.post(said, self._call, heard=self.heard_ms)[0] == 200
        self._fetch(patience_ms)
        if not plays:
            return
        self.heard += self._queue[:TICK_BYTES]
        del self._queue[:TICK_BYTES]

    def _fetch(self, patience_ms: int) -> None:
        while True:
            status, answer = self._site.poll(self._call, timeout=patience_ms, heard=self.heard_ms)
            assert status == 200, answer
            if answer.get("clear"):
                self.clears += 1
                self._queue.clear()
            self._queue += base64.b64decode(answer["audio"])
            if answer["transcript"]:
                self.transcripts.append(answer["transcript"])
            if not answer["hasMore"] and not answer.get("clear"):
                return

    def listen(self, until: Callable[[], bool], patience_ms: int = 10) -> None:
        """Be silent until something has happened."""
        for _ in range(PATIENT_TICKS):
            if until():
                return
            self.tick(patience_ms=patience_ms)
        raise AssertionError("it does not happen")

    def speak(self, seed: int, ticks: int = 4, patience_ms: int = 10) -> None:
        for number in range(ticks):
            self.tick(speech(seed * 100 + number), patience_ms)

    def interrupt(self, seed: int, plays: bool = True) -> None:
        """Speak until the agent is silent, which is waited for."""
        before = self.clears
        for number in range(60):
            self.tick(speech(seed * 100 + number), 150, plays)
            if self.clears > before:
                return
        raise AssertionError("the agent does not stop")

    def end(self) -> dict[str, object]:
        """End the call; return the summary."""
        summary: dict[str, object] = self._site.request("POST", f"/api/voice/session/{self._call}/end")[1]["summary"]
        return summary


def samples(audio: bytes) -> Samples:
    return np.frombuffer(audio, "<i2").astype(np.int16)
