"""Whose sessions a request may see: those of the tenant that its API key is bound to."""

from __future__ import annotations

import ipaddress
from typing import Mapping

from starlette.requests import Request

from ...errors import SettingError
from ...web.failure_limit import FailureLimit
from ...web.keys import Keys, bearer
from ...web.refusals import Refusal, too_many_failures


class Authorisation:
    """On the event loop. Without any keys, everybody sees everything."""

    def __init__(self, tenants: Mapping[str, str]) -> None:
        """`tenants` has the tenant of each key."""
        self._keys = Keys(tenants)
        self._limit = FailureLimit()

    def scope(self, request: Request) -> str:
        """Return the tenant of the request's key, "" where no keys are configured; raise Refusal (401, 429)."""
        if not len(self._keys):
            return ""
        address = request.client.host if request.client else ""
        # The key of an address that has to wait is not looked at: a right guess must not be told from a wrong one.
        seconds = self._limit.wait_seconds(address)
        if seconds:
            raise too_many_failures(seconds, "API keys")
        key = bearer(request.headers.get("authorization", "")) or request.headers.get("x-api-key", "")
        tenant = self._keys.find(key)
        if tenant is None:
            self._limit.failed(address)
            raise Refusal(401, "an API key is required, and this request has none, or a wrong one: send the header "
                               "Authorization: Bearer … or X-API-Key", {"WWW-Authenticate": "Bearer"})
        return tenant


def check_listening(address: str, tenants: Mapping[str, str]) -> None:
    """Raise SettingError where others than this machine could connect, and would need no key."""
    if not tenants and not (address and ipaddress.ip_address(address).is_loopback):
        raise SettingError(f"the gateway would listen on {address or 'no address'} without API keys, for everybody: "
                           "set api-keys, or address to 127.0.0.1")
