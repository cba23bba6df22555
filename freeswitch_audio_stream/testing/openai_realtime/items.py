"""The conversation of a session, as the server keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Item:
    """One item."""

    id: str
    body: dict[str, Any]
    """As the protocol shows it, without the id."""
    audio_ms: int | None = None
    """Of an answer's audio, as far as it was made; None for an item that has none."""
    audio: bytearray = field(default_factory=bytearray)
    """An answer's audio in the format of the session."""
    truncated_ms: int | None = None

    @property
    def role(self) -> str:
        return str(self.body.get("role", self.body["type"]))

    @property
    def text(self) -> str:
        """All that is said in it."""
        contents = self.body.get("content", ())
        return " ".join(str(part.get("text") or part.get("transcript") or "") for part in contents).strip()

    @property
    def shown(self) -> dict[str, Any]:
        return {"id": self.id, "object": "realtime.item", "status": "completed", **self.body}


class Items:
    """In order, by id."""

    def __init__(self) -> None:
        self.all: list[Item] = []

    def find(self, identity: str) -> Item | None:
        return next((item for item in self.all if item.id == identity), None)

    def add(self, item: Item, after: str | None) -> str | None:
        """Add an item behind another, or at the end; return the id of the one before it. Raise LookupError."""
        if after is None:
            place = len(self.all)
        else:
            known = [one.id for one in self.all]
            if after not in known:
                raise LookupError(after)
            place = known.index(after) + 1
        self.all.insert(place, item)
        return self.all[place - 1].id if place else None

    def remove(self, identity: str) -> None:
        self.all = [item for item in self.all if item.id != identity]
