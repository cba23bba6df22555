"""Authorisation: no request is carried out without a token that is good for what it asks for.

It looks at nothing but the token and the address, so whoever has no token learns nothing of calls: neither from what
is answered nor from how long that takes.
"""

from __future__ import annotations

from ..web.failure_limit import FailureLimit
from ..web.refusals import too_many_failures
from .refusals import forbidden, unauthorized
from .tokens import Grant, Tokens


class Authorisation:
    """One for the server; on its event loop."""

    def __init__(self, tokens: Tokens, limit: FailureLimit) -> None:
        self._tokens = tokens
        self._limit = limit

    def admit_to(self, kind: str, name: str, token: str | None, address: str) -> None:
        """Return if the token is good for that call or conference; raise Refusal otherwise."""
        if not self._grant(token, address).covers(kind, name):
            raise forbidden()

    def admit_to_all(self, token: str | None, address: str) -> None:
        """Return if the token is good for everything; raise Refusal otherwise."""
        if not self._grant(token, address).is_for_everything:
            raise forbidden()

    def _grant(self, token: str | None, address: str) -> Grant:
        # The token of an address that has to wait is not looked at: a right guess among thousands must not be told from
        # the wrong ones.
        seconds = self._limit.wait_seconds(address)
        if seconds:
            raise too_many_failures(seconds, "tokens")
        grant = self._tokens.check(token or "")
        if grant is None:
            self._limit.failed(address)
            raise unauthorized()
        return grant
