"""An agent of the gateway that repeats what the caller has said, as soon as the caller pauses."""

import array
from typing import Any, Mapping

from freeswitch_audio_stream.services.gateway.agents import BYTES_PER_MS, Agent

LOUD = 500  # of 32,767


class Parrot(Agent):
    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """The gateway does not start with a profile that raises ValueError."""
        unknown = options.keys() - {"pause_ms"}
        if unknown or not 100 <= options.get("pause_ms", 600) <= 5000:
            raise ValueError("use pause_ms, from 100 to 5000, and nothing else")

    async def start(self) -> None:
        self.said = b""
        self.silent_ms = 0
        self.is_speaking = False
        if not self.conversation.lines:  # else this goes on for another process
            self.output.transcript("AI", "Say something!")

    async def hear(self, audio: bytes) -> None:
        loud = max(map(abs, array.array("h", audio)), default=0) > LOUD
        self.silent_ms = 0 if loud else self.silent_ms + len(audio) // BYTES_PER_MS
        if loud and not self.is_speaking:
            self.is_speaking = True
            self.output.clear()  # the caller interrupts: nothing more is heard of the last answer
        if self.is_speaking:
            self.said += audio
        if self.is_speaking and self.silent_ms >= self.profile.options.get("pause_ms", 600):
            self.output.action({"type": "repeated", "ms": len(self.said) // BYTES_PER_MS})
            self.output.play(self.said)
            self.said, self.is_speaking = b"", False

    async def heard(self, milliseconds: int, cleared: bool) -> None:
        if cleared:
            self.output.note(f"interrupted after {milliseconds} ms of all answers")
