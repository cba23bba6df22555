"""What a client of the media server is refused with."""

from __future__ import annotations

from ..commands import SCHEMES
from ..errors import AudioStreamError, CallNotFound, MediaNotFound, RefusedError, SwitchError
from ..protocols import ENCAPSULATIONS
from ..web import refusals as web
from ..web.refusals import RETRY_SECONDS, Refusal


def refusal_of(error: AudioStreamError) -> Refusal:
    """The refusal that says what `error` says."""
    if isinstance(error, CallNotFound):
        return Refusal(404, "there is no such call: it is not up, or no longer")
    if isinstance(error, MediaNotFound):
        return Refusal(409, str(error))
    if isinstance(error, SwitchError):
        return Refusal(503, str(error), {"Retry-After": str(RETRY_SECONDS)})
    refusal = web.refusal_of(error)
    return Refusal(422, str(error)) if refusal.status == 500 and isinstance(error, RefusedError) else refusal


def unauthorized() -> Refusal:
    """The same for every token that is not good, whatever was asked for."""
    return Refusal(401, "a token is required, and this request has none, or one that is wrong or has expired: append "
                        "token=… to the query, or send the header Authorization: Bearer …",
                   {"WWW-Authenticate": "Bearer"})


def forbidden() -> Refusal:
    """A token that is good, but not for this."""
    return Refusal(403, "this token is for something else: for another call or conference, or, if calls were to be "
                        "made, for one call or conference only")


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
