"""What the model says: how much of each answer has come, and how much of it the caller has heard."""

from __future__ import annotations

from dataclasses import dataclass

from ..messages import PlayAudio
from ..reading import from_base64
from .events import AudioFinished, Event, Interrupted, Send
from .history import Entry, History, item_of
from .options import RealtimeOptions
from .responses import Responses
from .transcript import Transcript
from .wire import Message, send, text_of


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


class Answers:
    """Of one session."""

    def __init__(self, options: RealtimeOptions, history: History, responses: Responses,
                 transcript: Transcript) -> None:
        self._options = options
        self._history = history
        self._responses = responses
        self._transcript = transcript
        self._answers: dict[str, Answer] = {}
        self._later: list[tuple[str, Send]] = []
        """What is to be said of items when their response has been made."""

    @property
    def are_settled(self) -> bool:
        """Whether it is known of all how much was heard."""
        return all(answer.is_settled for answer in self._answers.values())

    def on_audio(self, event: Message) -> list[Event]:
        answer = self._answer_of(event)
        index = event.get("content_index")
        answer.content_index = index if isinstance(index, int) else 0
        audio = answer.odd + from_base64("response.output_audio.delta", "delta", text_of(event, "delta"))
        odd = len(audio) % self._options.encoding.sample_bytes
        answer.odd = audio[len(audio) - odd:]
        audio = audio[:len(audio) - odd]
        answer.received_bytes += len(audio)
        answer.entry.audio_ms = answer.received_bytes * 1000 // self._options.bytes_per_second
        if not audio or answer.is_settled or answer.response in self._responses.dropped:
            return []
        answer.played_bytes += len(audio)
        return [PlayAudio(audio, self._options.encoding, self._options.rate, item=answer.entry.id)]

    def on_audio_done(self, event: Message) -> list[Event]:
        answer = self._answer_of(event)
        is_whole = answer.received_bytes > 0 and answer.played_bytes == answer.received_bytes
        return [AudioFinished(answer.entry.id)] if is_whole else []

    def on_text(self, event: Message) -> list[Event]:
        answer = self._answer_of(event)
        if not answer.is_settled:
            answer.entry.text += text_of(event, "delta")
        return []

    def on_text_done(self, event: Message) -> list[Event]:
        answer = self._answer_of(event)
        if answer.is_settled:
            return []
        if "transcript" in event:  # xAI leaves it out
            answer.entry.text = text_of(event, "transcript")
        return [] if answer.response in self._responses.dropped else self._tell(answer)

    def heard(self, item: str, milliseconds: int, complete: bool) -> list[Event]:
        """See `RealtimeSession.heard`."""
        answer = self._answers.get(item)
        if answer is not None and answer.is_settled:
            return []
        if answer is not None:
            answer.is_settled = True
        entry = self._history.find(item) if answer is None else answer.entry
        if complete or entry is None:
            return []
        return self._cut(entry, answer, min(milliseconds, entry.audio_ms))

    def on_response_done(self, response: str) -> list[Event]:
        """Return what had to wait for the end of a response, and what is to be said of one that was interrupted."""
        events: list[Event] = [send for owner, send in self._later if owner == response]
        self._later = [(owner, send) for owner, send in self._later if owner != response]
        if response in self._responses.dropped:
            for answer in self._made_by(response):
                if not answer.played_bytes:
                    events += self.heard(answer.entry.id, 0, False)
        return events

    def are_played(self, response: str) -> bool:
        """Whether anything of a response was given to be played."""
        return any(answer.played_bytes for answer in self._made_by(response))

    def lost(self) -> list[Event]:
        """No more comes of any: return what is left to be told."""
        events: list[Event] = []
        for answer in self._answers.values():
            if not answer.is_settled and answer.response not in self._responses.dropped:
                events += self._tell(answer)
                if answer.response == self._responses.active and answer.played_bytes:
                    events.append(AudioFinished(answer.entry.id))
        return events

    def _answer_of(self, event: Message) -> Answer:
        item = text_of(event, "item_id")
        answer = self._answers.get(item)
        if answer is None:
            answer = Answer(self._history.add("assistant", item), text_of(event, "response_id"))
            self._answers[item] = answer
        return answer

    def _made_by(self, response: str) -> list[Answer]:
        return [answer for answer in self._answers.values() if answer.response == response]

    def _tell(self, answer: Answer) -> list[Event]:
        if answer.is_told:
            return []
        answer.is_told = True
        return list(self._transcript.answer(answer.entry.id, answer.entry.text))

    def _cut(self, entry: Entry, answer: Answer | None, milliseconds: int) -> list[Event]:
        """The caller has heard only so much of an item: the service is to know it, and so is the history."""
        entry.text = entry.heard_text(milliseconds)
        sends = _corrections(self._history, entry, answer, milliseconds)
        if milliseconds <= 0:
            self._history.remove(entry.id)
        if answer is not None and answer.response == self._responses.active:
            self._later += [(answer.response, send) for send in sends]
            sends = []
        told = self._tell(answer) if answer is not None else []
        return [*sends, *told, Interrupted(entry.id, max(0, milliseconds), entry.text)]


def _corrections(history: History, entry: Entry, answer: Answer | None, milliseconds: int) -> list[Send]:
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
