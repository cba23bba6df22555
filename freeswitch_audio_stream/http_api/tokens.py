"""Who may do what: tokens from the configuration, and signed ones for one call or conference (JWT, RFC 7519)."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

import jwt

from ..commands import MintToken
from ..web.keys import LONGEST_KEY, Keys

_ALGORITHM = "HS256"
_AUDIENCE = "media_stream"


@dataclass(frozen=True)
class Grant:
    """What a token is good for: everything, or one call or conference."""

    kind: str | None = None
    name: str = ""

    def covers(self, kind: str, name: str) -> bool:
        """Whether it is good for that call or conference."""
        return self.kind is None or (self.kind, self.name) == (kind, name)

    @property
    def is_for_everything(self) -> bool:
        return self.kind is None


class Tokens:
    """Makes and checks tokens. Any thread. Nothing here can be shown: there is no way back from a digest."""

    def __init__(self, static: str, secret: str, seconds: int) -> None:
        """`static` are tokens with blanks between them, `secret` signs the others ("": a new one), which last for
        `seconds` where nothing else is said.
        """
        self._static = Keys(dict.fromkeys(static.split(), Grant()))
        self._secret = secret or secrets.token_urlsafe(48)
        self._seconds = seconds

    def mint(self, command: MintToken) -> str:
        """A token for one call or conference."""
        now = int(time.time())
        seconds = command.seconds or self._seconds
        claims = {"aud": _AUDIENCE, "sub": f"{command.kind}:{command.name}", "iat": now, "exp": now + seconds}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def check(self, token: str) -> Grant | None:
        """What the token is good for; None: nothing. It takes as long whichever static token is right."""
        return self._static.find(token) or self._signed(token)

    def _signed(self, token: str) -> Grant | None:
        if len(token) > LONGEST_KEY:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(token, self._secret, algorithms=[_ALGORITHM], audience=_AUDIENCE,
                                                options={"require": ["exp", "sub", "aud"]})
        except jwt.PyJWTError:
            return None
        kind, _, name = str(claims["sub"]).partition(":")
        return Grant(kind, name)
