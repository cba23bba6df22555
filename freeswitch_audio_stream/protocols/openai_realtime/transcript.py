"""Puts lines into the order in which they were said: what the caller said is often known after the answer to it."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Said


@dataclass
class _Line:
    item: str
    said: Said | None
    """None while it is not known what was said."""


class Transcript:
    """Lines that were not told yet."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []

    @property
    def waits(self) -> bool:
        """Whether it is not known yet what the caller said."""
        return any(line.said is None for line in self._lines)

    def expect(self, item: str) -> list[Said]:
        """The caller has said something that will be written down; what was expected before is not waited for."""
        self._lines = [line for line in self._lines if line.said is not None]
        told = self._told()
        self._lines.append(_Line(item, None))
        return told

    def fill(self, item: str, text: str) -> list[Said]:
        """It was written down, or cannot be (""). Return what can be told now."""
        found = next((line for line in self._lines if line.item == item and line.said is None), None)
        said = Said(True, text.strip())
        if found is None:
            return [said] if said.text else []
        if said.text:
            found.said = said
        else:
            self._lines.remove(found)
        return self._told()

    def answer(self, item: str, text: str) -> list[Said]:
        """The model has said something. Return what can be told now."""
        if text.strip():
            self._lines.append(_Line(item, Said(False, text.strip())))
        return self._told()

    def give_up(self) -> list[Said]:
        """Nothing more will be known. Return all that was not told."""
        self._lines = [line for line in self._lines if line.said is not None]
        return self._told()

    def _told(self) -> list[Said]:
        told: list[Said] = []
        while self._lines and (said := self._lines[0].said) is not None:
            told.append(said)
            del self._lines[0]
        return told
