"""What an agent is: it hears a caller, and says, writes and does something about it.

A package of your own adds one by an entry point of the group ``freeswitch_audio_stream.agents`` whose object is a
subclass of `Agent`. All audio is 16-bit linear PCM, little endian, mono, 16,000 Hz. Everything here runs on the event
loop of the gateway, so nothing may block; the gateway calls the methods of one agent one at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal, Mapping, Sequence

SAMPLE_RATE = 16000
"""Hz, of all audio of the gateway."""
BYTES_PER_MS = SAMPLE_RATE * 2 // 1000

Speaker = Literal["User", "AI"]


@dataclass(frozen=True)
class AgentProfile:
    """What an ``aiAgentRef`` stands for."""

    name: str
    agent: str = "echo"
    """Name of the entry point."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Model, voice, instructions, tools, greeting and whatever else the agent itself defines and checks."""


@dataclass(frozen=True)
class Line:
    """What somebody has said, and when."""

    speaker: Speaker
    text: str


@dataclass(frozen=True)
class Conversation:
    """What an agent is told when it begins, or goes on for another process that has ended."""

    call_id: str
    tenant_id: str
    store_id: str
    did: str
    caller_number: str
    lines: Sequence[Line] = ()
    """What was said already: empty at the beginning of a call. With any, the agent does not greet again."""


class Output(ABC):
    """What the gateway offers an agent to answer with. Each method returns at once; the order is kept."""

    @abstractmethod
    def play(self, audio: bytes) -> None:
        """Let the caller hear `audio` (whole samples) after all that was given before."""

    @abstractmethod
    def transcript(self, speaker: Speaker, text: str) -> None:
        """Add a line to the call's transcript; the client gets it as ``[User]: …`` or ``[AI]: …``."""

    @abstractmethod
    def action(self, action: Mapping[str, Any]) -> None:
        """Add something to the call's actions: JSON that the summary contains."""

    @abstractmethod
    def clear(self) -> None:
        """Discard all audio that the caller has not heard; `Agent.heard` tells later how much the caller has."""

    @abstractmethod
    def fail(self, reason: str) -> None:
        """End the conversation, because the agent cannot go on; `reason` reaches the client and the log."""

    def note(self, text: str) -> None:
        """Write a line to the gateway's log: something an operator should know of, which changes nothing."""


class Agent(ABC):
    """One conversation with one caller."""

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raise ValueError, with the remedy, where the options of a profile cannot be used. At start-up."""

    def __init__(self, conversation: Conversation, profile: AgentProfile, output: Output) -> None:
        self.conversation = conversation
        self.profile = profile
        self.output = output

    async def start(self) -> None:
        """Begin. An exception ends the session with its text. Audio may be heard before this returns."""

    @abstractmethod
    async def hear(self, audio: bytes) -> None:
        """Take what the caller has said since the last call: any number of whole samples, in order, without gaps."""

    async def heard(self, milliseconds: int, cleared: bool) -> None:
        """Learn how much of what `Output.play` was given since the session began, or since this agent went on for
        another, the caller has heard: in ms, only growing, without what was cleared. `cleared` says that this answers
        a `clear`, after which what is played next continues at these milliseconds. Without a client that tells it,
        the gateway estimates it from the time passed since delivery.
        """

    async def end(self) -> None:
        """The call is over, or another process goes on with it: release everything. Called once, whatever happened."""
