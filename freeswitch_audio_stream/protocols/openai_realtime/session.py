"""A session of the Realtime protocol over one connection: takes the service's messages, says what follows from them.

The owner calls `opening` and sends it; gives each message that comes to `receive`, and carries out what that returns,
in order; calls `take_over` after `Ready`, and from then on sends `audio`; and tells by `heard` how much of each item
the caller has heard. Nothing blocks, and nothing here has a clock or a thread: one thread at a time.
"""

from __future__ import annotations

import base64
from typing import Callable, Mapping

from ..messages import CallerStopped, ClearAudio, UsageReported
from .answers import Answers
from .dialects import OPENAI, Dialect
from .events import (Event, FunctionCall, HoldAudio, Ready, Refused, ReleaseAudio, Send, SessionExpired, Trouble)
from .faults import EXPIRED, IS_ANSWERING, NOTHING_TO_CANCEL, describe, is_final
from .history import History, item_of
from .options import RealtimeOptions
from .responses import Responses
from .transcript import Transcript
from .wire import Message, object_of, read, send, text_of

_OPTIONS_ID = "options"
_GREETING = "Begin the conversation now: say exactly the following to the caller, and nothing else.\n\n"


class RealtimeSession:
    """See above."""

    def __init__(self, options: RealtimeOptions, history: History, dialect: Dialect = OPENAI) -> None:
        """`history` is shared with the sessions before and after this one on other connections."""
        self.options = options
        self.history = history
        self._dialect = dialect
        self._transcript = Transcript()
        self._responses = Responses()
        self._answers = Answers(options, history, self._responses, self._transcript)
        self._is_ready = False
        self._unconfirmed: str | None = None
        """The item of speech that may not be such."""
        self._false: set[str] = set()
        """Items of the caller's that were no speech."""
        self._calls: set[str] = set()
        self._handlers: Mapping[str, Callable[[Message], list[Event]]] = dialect.by_their_names({
            "session.updated": self._on_updated,
            "error": self._on_error,
            "input_audio_buffer.speech_started": self._on_speech_started,
            "input_audio_buffer.speech_stopped": self._on_speech_stopped,
            "input_audio_buffer.committed": self._on_committed,
            "conversation.item.added": self._on_item_added,
            "conversation.item.input_audio_transcription.completed": self._on_written_down,
            "conversation.item.input_audio_transcription.failed": self._on_not_written_down,
            "response.created": self._on_response,
            "response.output_audio.delta": self._answers.on_audio,
            "response.output_audio.done": self._answers.on_audio_done,
            "response.output_audio_transcript.delta": self._answers.on_text,
            "response.output_audio_transcript.done": self._answers.on_text_done,
            "response.function_call_arguments.done": self._on_call,
            "response.done": self._on_response_done,
        })

    # What the owner asks

    @property
    def is_quiet(self) -> bool:
        """Whether neither side speaks or is about to: another session can take over unnoticed."""
        return not (self._is_speaking or self._calls or self.owes_answer or self._transcript.waits)

    @property
    def needs_audio(self) -> bool:
        """Whether the caller's latest audio is not in the history yet: a session that takes over needs it."""
        return self._is_speaking or self._transcript.waits

    @property
    def owes_answer(self) -> bool:
        """Whether the model is answering, or has to."""
        return self._responses.is_due

    @property
    def _is_speaking(self) -> bool:
        return self._responses.is_held_back

    # What the owner says

    def opening(self) -> list[Send]:
        """Return the first messages."""
        return [send("session.update", event_id=_OPTIONS_ID, session=self._dialect.session(self.options))]

    def take_over(self, answer: bool = False) -> list[Send]:
        """Return what makes this session go on where the history ends; with `answer` the model is to speak. In a new
        conversation it greets, where there is a greeting.
        """
        sends = [send("conversation.item.create", item=item) for item in self.history.items()]
        if not self.history and self.options.greeting:
            return sends + self._responses.ask(instructions="\n\n".join(
                filter(None, [self.options.instructions, _GREETING + self.options.greeting])))
        return sends + self._responses.ask() if answer else sends

    def audio(self, audio: bytes) -> bytes:
        """Return the message that carries what the caller says, in the format of the options."""
        return b'{"type":"input_audio_buffer.append","audio":"' + base64.b64encode(audio) + b'"}'

    def heard(self, item: str, milliseconds: int, complete: bool) -> list[Event]:
        """Learn that the caller has heard an item: all of it, or only so many ms, and will hear no more."""
        return self._answers.heard(item, milliseconds, complete)

    def answer(self, call_id: str, output: str) -> list[Event]:
        """Tell the model what came of a function call."""
        self._calls.discard(call_id)
        if call_id not in self.history.name_calls():
            return []
        entry = self.history.add("output", self.history.new_id("output"), text=output or "null", call_id=call_id)
        return [send("conversation.item.create", item=item_of(entry)),
                *([] if self._calls else self._responses.want())]

    def confirm(self) -> list[Event]:
        """The time that `HoldAudio` told is over: what is heard is speech."""
        if self._unconfirmed is None:
            return []
        self._unconfirmed = None
        return self._interrupt()

    def retry(self) -> list[Event]:
        """The time after `RetryResponse` is over."""
        return list(self._responses.retry())

    def lost(self) -> list[Event]:
        """The connection has ended, or another session goes on: return what is left to be told."""
        events = self._answers.lost()
        if self._unconfirmed is not None:
            self._unconfirmed = None
            events.append(ReleaseAudio())
        return events + list(self._transcript.give_up())

    # What the service says

    def receive(self, message: bytes | str) -> list[Event]:
        """Return what follows from a message; raise MessageError for one that is not of this protocol. Messages of
        types that are not known are passed over.
        """
        event = read(message)
        handler = self._handlers.get(event["type"])
        return handler(event) if handler else []

    def _on_updated(self, event: Message) -> list[Event]:
        if self._is_ready:
            return []
        self._is_ready = True
        return [Ready()]

    def _on_error(self, event: Message) -> list[Event]:
        error = object_of(event, "error")
        code, ours = error.get("code"), error.get("event_id")
        if code == NOTHING_TO_CANCEL:
            return []
        if code == EXPIRED:
            return [SessionExpired()]
        if code == IS_ANSWERING:
            self._responses.come_too_early()
            return []
        if is_final(code, error.get("type")) or ours == _OPTIONS_ID:
            return [Refused(describe(error))]
        if self._responses.is_request(ours):
            return list(self._responses.fail(describe(error)))
        return [Trouble(describe(error))]

    # The caller speaks

    def _on_speech_started(self, event: Message) -> list[Event]:
        item = text_of(event, "item_id")
        self._responses.is_held_back = True
        if not self.options.interruptible:
            return []
        if self.options.confirms and self._is_answering:
            self._unconfirmed = item
            return [HoldAudio(self.options.confirmation_ms)]
        return self._interrupt()

    @property
    def _is_answering(self) -> bool:
        """Whether there is something to interrupt."""
        return self._responses.is_under_way or not self._answers.are_settled

    def _interrupt(self) -> list[Event]:
        """The service ends the response itself, unless it was told to leave that to us."""
        events: list[Event] = [ClearAudio()]  # also after the response is done: the caller still hears it
        active = self._responses.active
        if active is not None and active not in self._responses.dropped:
            self._responses.dropped.add(active)
            if self.options.confirms:
                events.append(send("response.cancel", response_id=active))
        return events

    def _on_speech_stopped(self, event: Message) -> list[Event]:
        self._responses.is_held_back = False
        if self._unconfirmed is None:
            return []
        self._false.add(self._unconfirmed)
        self._unconfirmed = None
        return [ReleaseAudio(), *self._responses.ask_if_wanted()]

    def _on_committed(self, event: Message) -> list[Event]:
        item = text_of(event, "item_id")
        self._responses.is_held_back = False
        if item in self._false:
            return [send("conversation.item.delete", item_id=item)]
        self.history.add("user", item)
        self._responses.is_unanswered = True
        told: list[Event] = [CallerStopped(self.options.silence_ms)]
        if self.options.transcription is not None:
            told += self._transcript.expect(item)
        return told + (list(self._responses.want()) if self.options.confirms else [])

    def _on_item_added(self, event: Message) -> list[Event]:
        item = object_of(event, "item")
        if item.get("type") == "message" and item.get("role") in ("user", "assistant"):
            identity = text_of(item, "id")
            if identity not in self._false:
                self.history.add(item["role"], identity)
        return []

    def _on_written_down(self, event: Message) -> list[Event]:
        item, text = text_of(event, "item_id"), text_of(event, "transcript")
        entry = self.history.find(item)
        if entry is None:
            return []
        entry.text = text
        return list(self._transcript.fill(item, text))

    def _on_not_written_down(self, event: Message) -> list[Event]:
        error = event.get("error")
        return [*self._transcript.fill(text_of(event, "item_id"), ""),
                Trouble("what the caller said was not written down: "
                        + describe(error if isinstance(error, dict) else {}))]

    # The model speaks

    def _on_response(self, event: Message) -> list[Event]:
        response = text_of(object_of(event, "response"), "id")
        self._responses.begin(response)
        if self._is_speaking and self.options.interruptible and self._unconfirmed is None:
            # It was asked for just before the caller began to speak, who will get an answer to what is being said.
            self._responses.dropped.add(response)
            return [send("response.cancel", response_id=response)]
        return []

    def _on_call(self, event: Message) -> list[Event]:
        call_id, name = text_of(event, "call_id"), text_of(event, "name")
        arguments = text_of(event, "arguments")
        item = text_of(event, "item_id") if "item_id" in event else call_id  # of xAI's, it has none
        if call_id in self._calls or self.history.find(item):
            return []
        self.history.add("call", item, text=arguments or "{}", name=name, call_id=call_id)
        self._calls.add(call_id)
        return [FunctionCall(call_id, name, arguments)]

    def _on_response_done(self, event: Message) -> list[Event]:
        response = object_of(event, "response")
        identity = text_of(response, "id")
        self._responses.end(identity)
        events = self._answers.on_response_done(identity)
        if isinstance(usage := response.get("usage"), dict):
            events.append(UsageReported(usage))
        if identity not in self._responses.dropped:
            events += self._judge(response, identity)
        return events + list(self._responses.ask_if_wanted())

    def _judge(self, response: Message, identity: str) -> list[Event]:
        """A response that failed, or says nothing, must not leave the caller in silence."""
        status = response.get("status")
        details = response.get("status_details")
        details = details if isinstance(details, dict) else {}
        error = details.get("error")
        error = error if isinstance(error, dict) else {}
        if status == "failed":
            if is_final(error.get("code"), error.get("type")):
                return [Refused(describe(error))]
            return list(self._responses.fail(describe(error)))
        if status == "incomplete" and not self._calls and not self._answers.are_played(identity):
            return list(self._responses.fail(f"the answer is incomplete: {details.get('reason')}"))
        self._responses.succeed()
        return []
