"""What a session knows of each answer of the model."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Send
from .history import Entry, History, item_of
from .wire import send


@dataclass
class Answer:
    """An assistant's message of a session."""

    entry: Entry
    response: str
    content_index: int = 0
    received_bytes: int = 0
    """Of audio, in the format of the session, played or not."""
    played_bytes: int = 0
    """Of those, what the owner was given to play."""
    odd: bytes = b""
    """The first half of a sample whose second has not come."""
    is_told: bool = False
    """Whether its line of the transcript was told."""
    is_settled: bool = False
    """Whether it is known how much of it the caller will ever have heard."""


def corrections(history: History, entry: Entry, answer: Answer | None, milliseconds: int) -> list[Send]:
    """Return what tells the service that the caller has heard only so many milliseconds of an item, whose text is what
    was heard. `answer` is None for an item of a session before, which has no audio in this one.
    """
    if answer is not None and milliseconds > 0:
        return [send("conversation.item.truncate", item_id=entry.id, content_index=answer.content_index,
                     audio_end_ms=milliseconds)]
    sends = [send("conversation.item.delete", item_id=entry.id)]  # at 0 ms the service refuses to truncate
    if milliseconds > 0 and entry.text:
        before = history.before(entry.id)
        entry.id = history.new_id(entry.id)
        where = {"previous_item_id": before} if before else {}
        sends.append(send("conversation.item.create", item=item_of(entry), **where))
    return sends
