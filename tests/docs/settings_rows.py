"""The rows of all tables of settings, for tests of what pages say of them."""

from __future__ import annotations

from freeswitch_audio_stream.config import TABLES, Setting

SETTINGS = [row for table in TABLES for row in table.rows]


def find(name: str) -> Setting | None:
    return next(filter(None, (table.find(name) for table in TABLES)), None)
