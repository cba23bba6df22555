"""``POST /v1.0/calls``: what can be asked for, and how it is dialled."""

from __future__ import annotations

import re
import threading
import time
import uuid as uuids
from dataclasses import dataclass
from typing import Any, Callable, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..commands import parse
from ..errors import CommandError, SwitchError
from ..protocols import ENCAPSULATIONS
from ..threads import start_thread
from ..web.refusals import RETRY_SECONDS, Refusal
from .conferences import Api

NUMBER = r"\+?[0-9]{1,15}"
"""ITU-T E.164, with or without the plus, and shorter numbers; nothing that means anything in a dial string."""
ACTIONS = ("answer", "external_media_start")
MAX_BODY_BYTES = 65536

_MAX_DESTINATIONS = 10
MAX_RINGING = 32
_RING_SECONDS = 60
_SOON_SECONDS = 3.0  # until a call leg is there, or FreeSWITCH says why it is not
_POLL_SECONDS = 0.02
_MAX_FAULTS = 10  # that are told of
_MAX_WORD = 100
_STREAM_ID = "external-media"


class Address(BaseModel):
    """Who calls, or is called."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["tel"]
    target: str = Field(pattern=f"^{NUMBER}$", description="a telephone number: digits, after a + or not",
                        examples=["+15559876543"])


class Action(BaseModel):
    """What becomes of the call."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(description="`answer`: what follows waits until the callee has answered; without it, it begins "
                                  "with early media. `external_media_start`: connects to `url` and plays what it sends",
                      json_schema_extra={"enum": list(ACTIONS)})
    option: dict[str, Any] = Field(
        default_factory=dict, description=f"of `external_media_start`: `url` and `encapsulation` "
                                          f"({', '.join(ENCAPSULATIONS)})",
        examples=[{"url": "wss://media.example.com/audio", "encapsulation": "audiosocket"}])


class CallRequest(BaseModel):
    """The body."""

    model_config = ConfigDict(extra="forbid")
    source: Address
    destinations: list[Address] = Field(min_length=1, max_length=_MAX_DESTINATIONS)
    actions: list[Action] = Field(default_factory=list)


class PlacedCall(BaseModel):
    """One call that was made, or why it was not."""

    id: str | None = Field(description="its UUID; null where it could not be made")
    destination: str
    error: str | None = Field(default=None, description="what FreeSWITCH said, where it could not be made")


class PlacedCalls(BaseModel):
    """The answer."""

    id: str = Field(description="the UUID of the first call that was made")
    calls: list[PlacedCall]


@dataclass(frozen=True)
class OriginateRequest:
    """A request that can be carried out."""

    source: str
    destinations: tuple[str, ...]
    waits_for_answer: bool
    media: tuple[str, ...]
    """What each external_media_start says after the call's UUID and the stream id."""


def read_request(body: bytes) -> OriginateRequest:
    """Raise Refusal, 422, with the first faults."""
    try:
        request = CallRequest.model_validate_json(body)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))[:_MAX_WORD] or 'the body'}: {fault['msg']}"
                  for fault in error.errors(include_url=False, include_context=False, include_input=False)]
        more = f"; and {len(faults) - _MAX_FAULTS} faults more" if len(faults) > _MAX_FAULTS else ""
        raise Refusal(422, "; ".join(faults[:_MAX_FAULTS]) + more) from error
    unknown = sorted({action.type[:40] for action in request.actions} - set(ACTIONS))
    if unknown:
        raise Refusal(422, f"unknown actions: {', '.join(unknown)}; use {' and '.join(ACTIONS)}")
    if not (request.source and re.fullmatch(NUMBER, request.source.target)):
        raise Refusal(422, "source.target is no telephone number")
    for place in request.destinations:
        if not re.fullmatch(NUMBER, place.target):  # pydantic's $ and ours must agree, whatever its regex engine
            raise Refusal(422, "destinations: a target is no telephone number")
    media = tuple(_media(action) for action in request.actions if action.type == "external_media_start")
    waits = any(action.type == "answer" for action in request.actions)
    return OriginateRequest(request.source.target, tuple(place.target for place in request.destinations), waits, media)


def _media(action: Action) -> str:
    try:
        words = f"external_media_start {orjson.dumps(action.option).decode()}"
        parse(f"uuid {_STREAM_ID} {words}")
    except (CommandError, orjson.JSONEncodeError) as error:  # the latter of numbers that JSON has, and we have not
        raise Refusal(422, f"external_media_start: {error}") from error
    return words


class Originator:
    """Makes calls. Each rings on a thread of its own."""

    def __init__(self, api: Api, exists: Callable[[str], bool], execute: Callable[[str], str], dial_string: str,
                 tell: Callable[[str], None]) -> None:
        """`exists` tells whether there is a call of that UUID, `execute` carries out a command of ours, `dial_string`
        has {destination} in it, or is "" for none, `tell` writes to the log.
        """
        self._api = api
        self._exists = exists  # asked often: an API command would be an event each time
        self._execute = execute
        self._dial_string = dial_string
        self._tell = tell
        self._lock = threading.Lock()
        self._dialling: dict[str, threading.Thread] = {}
        self._open = True

    def begin(self, request: OriginateRequest) -> Ringing:
        """Have all destinations dialled, or none: raise Refusal where there is no room for all. Does not wait."""
        if not self._dial_string:
            raise Refusal(501, "this server makes no calls: set media-server-dial-string in audio_stream.conf.xml")
        attempts = [_Attempt(str(uuids.uuid4()), number) for number in request.destinations]
        with self._lock:
            self._check_room(len(attempts))
            for attempt in attempts:
                try:
                    self._dialling[attempt.uuid] = start_thread("audio-stream-dial", self._run, request, attempt)
                except RuntimeError as error:  # the process may have no more threads
                    attempt.settle(str(error))
        return Ringing(attempts, time.monotonic() + _SOON_SECONDS)

    def outcome(self, ringing: Ringing) -> PlacedCalls:
        """Block until every call is ringing, or cannot, for 3 s from `begin` at most. Raise Refusal where none could be
        made.
        """
        calls = [attempt.call(self._exists, ringing.deadline) for attempt in ringing.attempts]
        made = [call.id for call in calls if call.id]
        if not made:
            raise Refusal(502, "; ".join(f"{call.destination}: {call.error}" for call in calls))
        return PlacedCalls(id=made[0], calls=calls)

    def stop(self, deadline: float) -> bool:
        """Give up what is ringing; False if a thread has not ended by `deadline` (time.monotonic, s)."""
        with self._lock:
            self._open = False
            dialling = dict(self._dialling)
        for uuid in dialling:
            self._api("uuid_kill", uuid)
        for thread in dialling.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in dialling.values())

    def _check_room(self, wanted: int) -> None:
        if not self._open:
            raise Refusal(503, "the server is being shut down", {"Retry-After": str(RETRY_SECONDS)})
        if len(self._dialling) + wanted > MAX_RINGING:
            raise Refusal(503, f"{len(self._dialling)} calls are ringing, and {MAX_RINGING} may: there is no room "
                               f"for {wanted} more", {"Retry-After": str(RETRY_SECONDS)})

    def _run(self, request: OriginateRequest, attempt: _Attempt) -> None:
        variables = (f"origination_uuid={attempt.uuid},originate_timeout={_RING_SECONDS},"
                     f"origination_caller_id_number={request.source},origination_caller_id_name={request.source},"
                     f"ignore_early_media={str(request.waits_for_answer).lower()}")
        target = self._dial_string.replace("{destination}", attempt.number).replace("{source}", request.source)
        try:
            answer = self._api("originate", f"{{{variables}}}{target} &park()")
            if answer.startswith("+OK"):
                attempt.settle()
                self._start_media(request, attempt.uuid)
            else:
                attempt.settle(answer.removeprefix("-ERR").strip() or "no reason given")
        except SwitchError as error:
            attempt.settle(str(error))
        finally:
            attempt.settle()
            with self._lock:
                self._dialling.pop(attempt.uuid, None)

    def _start_media(self, request: OriginateRequest, uuid: str) -> None:
        for number, words in enumerate(request.media, 1):
            reply = self._execute(f"{uuid} {_STREAM_ID}{f'-{number}' if number > 1 else ''} {words}")
            if not reply.startswith("+OK"):
                # Nobody is left who could be answered, and a call without what it was made for helps nobody.
                self._tell(f"the call {uuid} made by POST /v1.0/calls is hung up: {reply}")
                self._api("uuid_kill", uuid)
                return


class _Attempt:
    """One call being made."""

    def __init__(self, uuid: str, number: str) -> None:
        self.uuid = uuid
        self.number = number
        self.error: str | None = None
        self._done = threading.Event()

    def settle(self, error: str | None = None) -> None:
        """It is over, by an answer or for a reason; what was told first stays."""
        if not self._done.is_set():
            self.error = error
            self._done.set()

    def call(self, exists: Callable[[str], bool], deadline: float) -> PlacedCall:
        """What has become of it: soon there is a leg, or a reason; after `deadline` (time.monotonic, s) neither."""
        while not self._done.wait(_POLL_SECONDS) and not exists(self.uuid) and time.monotonic() < deadline:
            pass
        return PlacedCall(id=None if self.error else self.uuid, destination=self.number, error=self.error)


@dataclass(frozen=True)
class Ringing:
    """The calls of one request, which have been begun."""

    attempts: list[_Attempt]
    deadline: float
    """Until when their outcome is waited for (time.monotonic, s)."""
