"""Which versions of others' libraries the programs of these tests are made of; docs/reference/others.md lists them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pin:
    """A package of a registry."""

    registry: str
    """npm, PyPI or Debian."""
    name: str
    version: str
    """Of Debian's, the least: it installs what the release has."""


FLASK_SOCK = Pin("PyPI", "flask-sock", "0.7.0")
CHANNELS = Pin("PyPI", "channels", "4.3.2")
DAPHNE = Pin("PyPI", "daphne", "4.2.3")
DENO = Pin("npm", "deno", "2.9.6")
GO = Pin("Debian", "golang-go", "1.19")
GORILLA = Pin("Debian", "golang-github-gorilla-websocket-dev", "1.5.0")
MODESL = Pin("npm", "modesl", "1.2.1")
GREENSWITCH = Pin("PyPI", "greenswitch", "0.0.19")

PINS = tuple(pin for pin in list(vars().values()) if isinstance(pin, Pin))
