"""Why a stream ends, as its last event and its last message to the server say it."""

from __future__ import annotations

from ..config import Dialect

WIRE_REASONS = {"requested": "normal_termination", "graceful": "graceful_shutdown", "hangup": "hangup",
                "shutdown": "module_shutdown"}


class EndReason:
    """What was said first counts: the rest follows from it."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.detail = ""

    def set_reason(self, name: str, detail: str = "") -> None:
        """The stream begins to end; `detail` is the words of a command, or of an error."""
        if self.name is None:
            self.name, self.detail = name, detail

    def last_words(self, dialect: Dialect) -> str:
        """Return the reason in the last message: what the command said; else a word of ours, where one is expected."""
        if dialect is Dialect.COMMUNITY:
            return self.detail if self.name in ("requested", "graceful") else ""
        return self.detail or WIRE_REASONS.get(self.name or "", self.name or "")
