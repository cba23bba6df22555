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
from .conferences import Api
from .refusals import RETRY_SECONDS, Refusal

NUMBER = r"\+?[0-9]{1,15}"
"""ITU-T E.164, with or without the plus, and shorter numbers; nothing that means anything in a dial string."""
ACTIONS = ("answer", "external_media_start")
MAX_BODY_BYTES = 65536

_MAX_DESTINATIONS = 10
_MAX_DIALLING = 32
_RING_SECONDS = 60
_SOON_SECONDS = 3.0  # until a call leg is there, or FreeSWITCH says why it is not
_POLL_SECONDS = 0.02
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


class Call(BaseModel):
    """One call that was made, or why it was not."""

    id: str | None = Field(description="its UUID; null where it could not be made")
    destination: str
    error: str | None = Field(default=None, description="what FreeSWITCH said, where it could not be made")


class Calls(BaseModel):
    """The answer."""

    id: str = Field(description="the UUID of the first call that was made")
    calls: list[Call]


@dataclass(frozen=True)
class Order:
    """A request that can be carried out."""

    source: str
    destinations: tuple[str, ...]
    waits_for_answer: bool
    media: tuple[str, ...]
    """What each external_media_start says after the call's UUID and the stream id."""


def read_order(body: bytes) -> Order:
    """Raises Refusal, 422, with every fault."""
    try:
        request = CallRequest.model_validate_json(body)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'the body'}: {fault['msg']}" for fault in error.errors()]
        raise Refusal(422, "; ".join(faults)) from error
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
    return Order(request.source.target, tuple(place.target for place in request.destinations), waits, media)


def _media(action: Action) -> str:
    words = f"external_media_start {orjson.dumps(action.option).decode()}"
    try:
        parse(f"uuid {_STREAM_ID} {words}")
    except CommandError as error:
        raise Refusal(422, f"external_media_start: {error}") from error
    return words


class Dialler:
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

    def make(self, order: Order) -> Calls:
        """Blocks until every call is ringing, or cannot. Raises Refusal where none could be made."""
        if not self._dial_string:
            raise Refusal(501, "this server makes no calls: set media-server-dial-string in audio_stream.conf.xml")
        attempts = [self._begin(order, number) for number in order.destinations]
        deadline = time.monotonic() + _SOON_SECONDS
        calls = [attempt.call(self._exists, deadline) for attempt in attempts]
        made = [call.id for call in calls if call.id]
        if not made:
            raise Refusal(502, "; ".join(f"{call.destination}: {call.error}" for call in calls))
        return Calls(id=made[0], calls=calls)

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

    def _begin(self, order: Order, number: str) -> _Attempt:
        attempt = _Attempt(str(uuids.uuid4()), number)
        with self._lock:
            if not self._open or len(self._dialling) >= _MAX_DIALLING:
                raise Refusal(503, f"{_MAX_DIALLING} calls are ringing already", {"Retry-After": str(RETRY_SECONDS)})
            self._dialling[attempt.uuid] = start_thread("audio-stream-dial", self._run, order, attempt)
        return attempt

    def _run(self, order: Order, attempt: _Attempt) -> None:
        variables = (f"origination_uuid={attempt.uuid},originate_timeout={_RING_SECONDS},"
                     f"origination_caller_id_number={order.source},origination_caller_id_name={order.source},"
                     f"ignore_early_media={str(order.waits_for_answer).lower()}")
        target = self._dial_string.replace("{destination}", attempt.number).replace("{source}", order.source)
        try:
            answer = self._api("originate", f"{{{variables}}}{target} &park()")
            if answer.startswith("+OK"):
                attempt.done.set()
                self._start_media(order, attempt.uuid)
            else:
                attempt.error = answer.removeprefix("-ERR").strip() or "no reason given"
        except SwitchError as error:
            attempt.error = str(error)
        finally:
            attempt.done.set()
            with self._lock:
                self._dialling.pop(attempt.uuid, None)

    def _start_media(self, order: Order, uuid: str) -> None:
        for number, words in enumerate(order.media, 1):
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
        self.done = threading.Event()

    def call(self, exists: Callable[[str], bool], deadline: float) -> Call:
        """What has become of it: soon there is a leg, or a reason; after `deadline` (time.monotonic, s) neither."""
        while not self.done.wait(_POLL_SECONDS) and not exists(self.uuid) and time.monotonic() < deadline:
            pass
        return Call(id=None if self.error else self.uuid, destination=self.number, error=self.error)
