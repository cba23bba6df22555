from __future__ import annotations

from .fixtures import echo, site  # noqa: F401
