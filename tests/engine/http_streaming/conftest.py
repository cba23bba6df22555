from __future__ import annotations

from tests.services.gateway.fixtures import echo, site  # noqa: F401
