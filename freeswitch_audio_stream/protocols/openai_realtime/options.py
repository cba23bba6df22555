"""What there is to choose of a session: model, voice, instructions, turn detection, tools.

The names are those of an agent profile; values are checked here as far as they can be without the service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ...audio import Encoding
from ..agents.options import NO_PARAMETERS, Option, flag, number, one_of, read, text, tools, whole, word

DEFAULT_MODEL = "gpt-realtime-2.1"
DEFAULT_TRANSCRIPTION: Mapping[str, Any] = {"model": "gpt-4o-mini-transcribe"}
DEFAULT_TURN_DETECTION: Mapping[str, Any] = {"type": "server_vad"}
DEFAULT_SILENCE_MS = 500
"""Of silence that end the caller's turn, where ``silence_duration_ms`` does not say otherwise."""
FORMATS: Mapping[str, tuple[Encoding, int, Mapping[str, Any]]] = {
    "pcm": (Encoding.L16, 24000, {"type": "audio/pcm", "rate": 24000}),
    "pcmu": (Encoding.MULAW, 8000, {"type": "audio/pcmu"}),
    "pcma": (Encoding.ALAW, 8000, {"type": "audio/pcma"}),
}
"""Encoding, Hz and description of what may travel."""

TURN_DETECTIONS: Mapping[str, Sequence[str]] = {
    "server_vad": ("threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"),
    "semantic_vad": ("eagerness",)}
"""Kinds of turn detection, and what each has to set."""
_MOST_CONFIRM_MS = 5000


@dataclass(frozen=True)
class RealtimeOptions:
    """The options of a session, each valid; `OPTIONS` says what they mean."""

    model: str = DEFAULT_MODEL
    voice: str = "marin"
    instructions: str = ""
    greeting: str = ""
    format: str = "pcm"
    speed: float | None = None
    max_output_tokens: int | None = None
    transcription: Mapping[str, Any] | None = field(default_factory=lambda: DEFAULT_TRANSCRIPTION)
    noise_reduction: str = ""
    turn_detection: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_TURN_DETECTION)
    interruptible: bool = True
    confirm_speech_ms: int = 0
    tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: str = "auto"

    @property
    def encoding(self) -> Encoding:
        """Of the audio in both directions."""
        return FORMATS[self.format][0]

    @property
    def rate(self) -> int:
        """Hz of the audio in both directions."""
        return FORMATS[self.format][1]

    @property
    def bytes_per_second(self) -> int:
        return self.rate * self.encoding.sample_bytes

    @property
    def confirms(self) -> bool:
        """Whether speech only interrupts once it has lasted for a while."""
        return self.interruptible and self.confirm_speech_ms > 0

    @property
    def confirmation_ms(self) -> int:
        """How long after speech has begun it is known to be such: its end is told only after the silence behind it."""
        return self.confirm_speech_ms + self.silence_ms

    @property
    def silence_ms(self) -> int:
        """How much silence ends the caller's turn, as far as that is fixed."""
        if self.turn_detection["type"] == "semantic_vad":
            return 0
        return int(self.turn_detection.get("silence_duration_ms", DEFAULT_SILENCE_MS))

    @property
    def declared_tools(self) -> list[dict[str, Any]]:
        """The functions as the service is told of them."""
        return [{"type": "function", "parameters": NO_PARAMETERS, **tool} for tool in self.tools]

    def session(self) -> dict[str, Any]:
        """Return the ``session`` of ``session.update``."""
        form = dict(FORMATS[self.format][2])
        hearing: dict[str, Any] = {
            "format": form, "transcription": None if self.transcription is None else dict(self.transcription),
            "noise_reduction": {"type": self.noise_reduction} if self.noise_reduction else None,
            "turn_detection": {**self.turn_detection, "create_response": not self.confirms,
                               "interrupt_response": self.interruptible and not self.confirms}}
        speaking: dict[str, Any] = {"format": form, "voice": self.voice}
        if self.speed is not None:
            speaking["speed"] = self.speed
        session: dict[str, Any] = {"type": "realtime", "output_modalities": ["audio"],
                                   "audio": {"input": hearing, "output": speaking}}
        if self.instructions:
            session["instructions"] = self.instructions
        if self.max_output_tokens is not None:
            session["max_output_tokens"] = self.max_output_tokens
        if self.tools:
            session["tools"] = self.declared_tools
            session["tool_choice"] = self.tool_choice
        return session


def _transcription(value: Any) -> Mapping[str, Any] | None:
    if value is not None and not (isinstance(value, dict) and isinstance(value.get("model"), str)
                                  and value.keys() <= {"model", "language", "prompt"}
                                  and all(isinstance(word, str) for word in value.values())):
        raise ValueError('write null, or an object such as {"model": "gpt-4o-mini-transcribe", "language": "de"}')
    return value


def turn_detection(kinds: Mapping[str, Sequence[str]]) -> Callable[[Any], Mapping[str, Any]]:
    """Return a reader of a turn detection of one of these kinds, each with what it has to set."""
    known = "; or ".join(f"{kind} with {', '.join(names)}" for kind, names in kinds.items())

    def read(value: Any) -> Mapping[str, Any]:
        kind = str(value.get("type")) if isinstance(value, dict) else ""
        if kind not in kinds or not value.keys() <= {"type", *kinds[kind]}:
            raise ValueError(f"write an object whose type is {known}")
        for name, one in value.items():
            if name == "threshold":
                number(0, 1)(one)
            elif name.endswith("_ms"):
                whole(0, 60_000)(one)
        return value  # type: ignore[no-any-return]
    return read


OPTIONS: Mapping[str, Option] = {
    "model": Option("The model.", word),
    "voice": Option("The voice.", word),
    "instructions": Option("What the model is to be and do.", text),
    "greeting": Option("What the model says first, word for word; empty: the caller begins.", text),
    "format": Option("What travels: pcm (24,000 Hz), pcmu or pcma (8,000 Hz).", one_of(*FORMATS)),
    "speed": Option("How fast the voice speaks, 0.25 to 1.5.", number(0.25, 1.5)),
    "max_output_tokens": Option("Of one answer, 1 to 4096.", whole(1, 4096)),
    "transcription": Option("The model that writes down what the caller says, with language and prompt; null: none.",
                            _transcription),
    "noise_reduction": Option("near_field or far_field; empty: none.", one_of("", "near_field", "far_field")),
    "turn_detection": Option("How the end of the caller's turn is found: server_vad or semantic_vad, with their "
                             "parameters.", turn_detection(TURN_DETECTIONS)),
    "interruptible": Option("Whether the caller can interrupt the model.", flag),
    "confirm_speech_ms": Option("How long the caller must speak to interrupt; before that, the model only pauses. 0: "
                                "any speech interrupts at once.", whole(0, _MOST_CONFIRM_MS)),
    "tools": Option("The functions that the model may call.", tools),
    "tool_choice": Option("auto, none or required.", one_of("auto", "none", "required")),
}
"""All options of `RealtimeOptions`, by name."""


def read_options(given: Mapping[str, Any], options: Mapping[str, Option] = OPTIONS) -> RealtimeOptions:
    """Return the options; raise ValueError where one is none of `options` or its value cannot be used."""
    chosen = RealtimeOptions(**read(given, options))
    if chosen.confirms and chosen.turn_detection["type"] != "server_vad":
        raise ValueError("confirm_speech_ms needs a turn_detection of the type server_vad")
    return chosen
