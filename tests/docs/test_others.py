"""The page of others' programs: the versions that the tests install, and no other."""

from __future__ import annotations

from tests.others.pins import PINS

from .pages import plain, table


def test_versions() -> None:
    rows = table("Library", "Registry", "Version", "What runs on it")
    assert [tuple(map(plain, row[:3])) for row in rows] == [(pin.name, pin.registry, pin.version) for pin in PINS]
