"""The gateway: its routes, statuses and settings."""

from __future__ import annotations

import pytest

from freeswitch_audio_stream.services.gateway.settings import GATEWAY

from .pages import plain, table, words
from .test_settings import text_of


def test_routes_and_statuses_of_the_gateway() -> None:
    pytest.importorskip("fastapi")
    from tests.services.gateway.harness import Site
    site = Site()
    try:
        paths = site.request("GET", "/openapi.json")[1]["paths"]
    finally:
        site.close()
    made = {f"{method.upper()} {path}": answer for path, methods in paths.items() for method, answer in methods.items()}
    assert {words(row[0])[0] for row in table("Gateway route", "Body or query", "Answer")} == set(made)
    statuses = {status for answer in made.values() for status in answer["responses"]} - {"200"}
    assert {row[0] for row in table("Gateway status", "When")} == statuses


def test_settings_of_the_gateway() -> None:
    told = [tuple(plain(cell) for cell in row) for row in table("Gateway setting", "Default", "Valid", "Meaning")]
    assert told == [(row.name, text_of(row.default) or "empty", row.valid, row.doc) for row in GATEWAY.rows]
