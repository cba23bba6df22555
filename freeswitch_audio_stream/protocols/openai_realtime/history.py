"""What was said and done in a conversation, so that a new session can go on with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Literal

MOST_ENTRIES = 400
"""Of one conversation: older ones are forgotten. The service forgets the oldest, too, when its context is full."""

Kind = Literal["user", "assistant", "call", "output"]


@dataclass
class Entry:
    """One item of a conversation."""

    kind: Kind
    id: str
    text: str = ""
    """What was said, or a function's arguments or output, in JSON; "" while it is not known."""
    name: str = ""
    """Of a function."""
    call_id: str = ""
    audio_ms: int = 0
    """How much of an answer's audio has come."""

    def heard_text(self, milliseconds: int) -> str:
        """Return about as much of an answer's text as its first milliseconds hold, in whole words."""
        if milliseconds >= self.audio_ms:
            return self.text if milliseconds > 0 else ""
        end = len(self.text) * max(0, milliseconds) // self.audio_ms
        return self.text[:end].rpartition(" ")[0]


class History:
    """All entries of a conversation, oldest first. It outlives sessions."""

    def __init__(self, lines: Iterable[tuple[bool, str]] = ()) -> None:
        """`lines` were said already: whether by the caller, and what."""
        self._entries = [Entry("user" if is_caller else "assistant", f"line_{number}", text)
                         for number, (is_caller, text) in enumerate(lines)]
        self._number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, item: str) -> Entry | None:
        """Return the entry of an item, None where there is none."""
        return next((entry for entry in reversed(self._entries) if entry.id == item), None)

    def add(self, kind: Kind, item: str, text: str = "", name: str = "", call_id: str = "") -> Entry:
        """Add an entry behind all others, unless that item has one; return it."""
        found = self.find(item)
        if found is None:
            found = Entry(kind, item, text, name, call_id)
            self._entries.append(found)
            del self._entries[:-MOST_ENTRIES]
        return found

    def remove(self, item: str) -> None:
        """Forget an item: the caller has not heard it, or has not said it."""
        self._entries = [entry for entry in self._entries if entry.id != item]

    def before(self, item: str) -> str | None:
        """Return the id of the entry before an item which a new session has, None where it is the first."""
        known = self._carried
        place = next((number for number, entry in enumerate(known) if entry.id == item), 0)
        return known[place - 1].id if place else None

    def new_id(self, item: str) -> str:
        """Return an id for what stands in an item's place."""
        self._number += 1
        return f"{item[:20]}_{self._number}"

    def name_calls(self) -> dict[str, str]:
        """Return the names of functions that were called and have not answered, by the ids of their calls."""
        answered = {entry.call_id for entry in self._entries if entry.kind == "output"}
        return {entry.call_id: entry.name for entry in self._entries
                if entry.kind == "call" and entry.call_id not in answered}

    @property
    def _carried(self) -> list[Entry]:
        return [entry for entry in self._entries if entry.text]

    def items(self) -> list[dict[str, Any]]:
        """Return all entries as the items that a new session is given, without those whose text is not known."""
        return [item_of(entry) for entry in self._carried]


def item_of(entry: Entry) -> dict[str, Any]:
    """Return an entry as an item of ``conversation.item.create``."""
    if entry.kind == "call":
        return {"id": entry.id, "type": "function_call", "call_id": entry.call_id, "name": entry.name,
                "arguments": entry.text}
    if entry.kind == "output":
        return {"id": entry.id, "type": "function_call_output", "call_id": entry.call_id, "output": entry.text}
    content = "input_text" if entry.kind == "user" else "output_text"
    return {"id": entry.id, "type": "message", "role": entry.kind, "content": [{"type": content, "text": entry.text}]}
