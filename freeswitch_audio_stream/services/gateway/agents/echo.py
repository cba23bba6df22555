"""The agent that repeats the caller: to hear whether the way there and back is right."""

from __future__ import annotations

from typing import Any, Mapping

from .interface import Agent


class Echo(Agent):
    """Plays what it hears, unchanged and at once. It has no options."""

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        if options:
            raise ValueError(f"the agent echo has no options: remove {', '.join(map(repr, options))}")

    async def hear(self, audio: bytes) -> None:
        self.output.play(audio)
