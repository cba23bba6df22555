"""An `Output` that keeps what an agent gives it, in order."""

from __future__ import annotations

from typing import Any, Mapping

from freeswitch_audio_stream.services.gateway.agents import Conversation, Output, Speaker

CONVERSATION = Conversation("call-1", "tenant-1", "store-1", "5406594427", "393297626144")


class KeptOutput(Output):
    """Everything given, as (kind, value)."""

    def __init__(self) -> None:
        self.given: list[tuple[str, Any]] = []

    def play(self, audio: bytes) -> None:
        self.given.append(("play", audio))

    def transcript(self, speaker: Speaker, text: str) -> None:
        self.given.append(("transcript", (speaker, text)))

    def action(self, action: Mapping[str, Any]) -> None:
        self.given.append(("action", dict(action)))

    def clear(self) -> None:
        self.given.append(("clear", None))

    def fail(self, reason: str) -> None:
        self.given.append(("fail", reason))

    def of(self, kind: str) -> list[Any]:
        return [value for given, value in self.given if given == kind]
