"""What a client is refused with: HTTP status, a sentence, and headers."""

from __future__ import annotations

from typing import Mapping

from ..commands import SCHEMES
from ..errors import AudioStreamError, CallNotFound, CapacityRefused, MediaNotFound, RefusedError, SwitchError
from ..protocols import ENCAPSULATIONS

RETRY_SECONDS = 5
"""When to come back after there was no room."""


class Refusal(AudioStreamError):
    """Raised to answer a request with `status` and this text."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = dict(headers or {})


def refusal_of(error: AudioStreamError) -> Refusal:
    """The refusal that says what `error` says."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, CallNotFound):
        return Refusal(404, "there is no such call: it is not up, or no longer")
    if isinstance(error, MediaNotFound):
        return Refusal(409, str(error))
    if isinstance(error, (CapacityRefused, SwitchError)):
        return Refusal(503, str(error), {"Retry-After": str(RETRY_SECONDS)})
    if isinstance(error, RefusedError):
        return Refusal(422, str(error))
    return Refusal(500, str(error))


def unauthorized() -> Refusal:
    """The same for every token that is not good, whatever was asked for."""
    return Refusal(401, "a token is required, and this request has none, or one that is wrong or has expired: append "
                        "token=… to the query, or send the header Authorization: Bearer …",
                   {"WWW-Authenticate": "Bearer"})


def forbidden() -> Refusal:
    """A token that is good, but not for this."""
    return Refusal(403, "this token is for something else: for another call or conference, or, if calls were to be "
                        "made, for one call or conference only")


def too_many_failures(seconds: int) -> Refusal:
    """The address has sent too many wrong tokens."""
    return Refusal(429, f"too many wrong tokens have come from this address: try again in {seconds} s",
                   {"Retry-After": str(seconds)})


def upgrade_required() -> Refusal:
    """A plain request where a WebSocket is."""
    return Refusal(426, f"this is a WebSocket: connect to it with a {' or '.join(SCHEMES)} URL",
                   {"Upgrade": "websocket", "Connection": "Upgrade"})


def check_encapsulation(word: str | None) -> str:
    """The encapsulation asked for; raises Refusal."""
    if word not in ENCAPSULATIONS:
        given = "no encapsulation was asked for" if word is None else f"the encapsulation {word[:40]!r} is unknown"
        raise Refusal(422, f"{given}: use one of {', '.join(ENCAPSULATIONS)}")
    return word
