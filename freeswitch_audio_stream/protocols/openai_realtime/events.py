"""What a session tells its owner, beside `messages.PlayAudio`, `ClearAudio`, `CallerStopped` and `UsageReported`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from ..messages import CallerStopped, ClearAudio, PlayAudio, UsageReported


@dataclass(frozen=True)
class Send:
    """Send this text message to the service."""

    message: bytes


@dataclass(frozen=True)
class Ready:
    """The service has accepted the options: `RealtimeSession.take_over` may be called, and then audio be sent."""


@dataclass(frozen=True)
class AudioFinished:
    """No more audio of this item comes; without it, an item that the caller has heard so far is not complete."""

    item: str


@dataclass(frozen=True)
class HoldAudio:
    """Let the caller hear nothing more for the moment, and keep what was not heard: perhaps the caller speaks.

    Call `RealtimeSession.confirm` after so many milliseconds, unless `ReleaseAudio` or `ClearAudio` comes before.
    """

    milliseconds: int


@dataclass(frozen=True)
class ReleaseAudio:
    """The caller did not speak: go on with what was kept."""


@dataclass(frozen=True)
class Said:
    """Somebody has said something; lines come in the order in which they were said."""

    is_caller: bool
    text: str


@dataclass(frozen=True)
class Interrupted:
    """The caller has interrupted an item, of which so many milliseconds were heard."""

    item: str
    milliseconds: int
    text: str
    """About as much of its transcript as that was."""


@dataclass(frozen=True)
class FunctionCall:
    """The model wants a function to be called; `RealtimeSession.answer` tells what came of it."""

    call_id: str
    name: str
    arguments: str
    """JSON as the model wrote it, which may be wrong."""


@dataclass(frozen=True)
class RetryResponse:
    """The service has failed to answer, and may not the next time: call `RealtimeSession.retry` after a while."""

    attempt: int
    """1 for the first failure in a row."""
    reason: str


@dataclass(frozen=True)
class SessionExpired:
    """The service ends the session because of its age: go on in a new one."""


@dataclass(frozen=True)
class Refused:
    """The service will not serve, however often it is asked."""

    reason: str


@dataclass(frozen=True)
class Trouble:
    """Something went wrong that changes nothing: for the log."""

    text: str


Event = Union[Send, Ready, PlayAudio, AudioFinished, ClearAudio, HoldAudio, ReleaseAudio, Said, Interrupted,
              FunctionCall, RetryResponse, SessionExpired, Refused, Trouble, CallerStopped, UsageReported]
