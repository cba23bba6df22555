"""What the model of the local server says: a function of the conversation so far, that tests and demos write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Sequence

import numpy as np

from ...audio import Samples
from .items import Item

RATE = 24000
"""Hz of all audio of a script."""


@dataclass(frozen=True)
class Turn:
    """What the model answers to."""

    number: int
    """0 for the first response of the server, counted over all sessions."""
    items: Sequence[Item]
    """The conversation so far."""
    instructions: str
    """Those of the response, else of the session."""


@dataclass(frozen=True)
class Failure:
    """A response that is not made."""

    code: str
    message: str = "The server had an error while processing your request."
    kind: str = "server_error"
    status: str = "failed"
    """Or incomplete, where `code` is the reason."""


@dataclass(frozen=True)
class Reply:
    """What the model says or does."""

    text: str = ""
    audio: Samples = field(default_factory=lambda: np.zeros(0, np.int16))
    """Mono, of 24,000 Hz."""
    call: tuple[str, str] | None = None
    """Name and arguments of a function to call instead."""


def say_nothing(turn: Turn) -> Reply:
    return Reply("…", np.zeros(RATE // 10, np.int16))


@dataclass
class Script:
    """What a server does; may be changed while it runs."""

    reply: Callable[[Turn], Reply | Failure] = say_nothing
    write_down: Callable[[int], str] = "what the caller said, {}".format
    """What is made of the caller's speech, by its number, from 0."""
    delta_ms: int = 100
    """Of audio in a message."""
    pause_seconds: float = 0.0
    """Between two messages with audio; 0: as fast as they can be sent."""
    transcribes: bool = True
    """Whether what the caller says is written down, where the session asks for it; else that fails."""
