"""The bodies of requests and answers, as the specification of the HTTP streaming API has them."""

from __future__ import annotations

import base64
import binascii
import sys
from datetime import datetime, timezone
from typing import Any, List, Literal, Optional

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from ...web.refusals import Refusal, Refused
from .store.interface import SessionState

CALL_ID = r"[A-Za-z0-9][A-Za-z0-9._:@+~=-]{0,127}"
MAX_TIMEOUT_MS = 60_000
DEFAULT_TIMEOUT_MS = 5_000
MAX_BODY_BYTES = 10 << 20
_MAX_MS = 1 << 40
_MAX_NUMBER = 1 << 53
_Text = Field("", max_length=256)


class CreateSession(BaseModel):
    """What creates a session."""

    model_config = ConfigDict(strict=True)
    callId: str = Field(pattern=f"^{CALL_ID}$", description="the call's UUID, or whatever else names it")
    tenantId: str = _Text
    storeId: str = _Text
    did: str = _Text
    callerNumber: str = _Text
    aiAgentRef: str = _Text


class PostAudio(BaseModel):
    """A piece of what the caller says."""

    model_config = ConfigDict(strict=True)
    audio: StrictStr = Field(description="16-bit little-endian samples of 16000 Hz, one channel, in base64",
                             json_schema_extra={"contentEncoding": "base64"})
    heard: Optional[StrictInt] = Field(None, ge=0, le=_MAX_MS,
                                       description="ms of the session's audio that the caller has heard so far")
    sequence: Optional[StrictInt] = Field(None, ge=0, le=_MAX_NUMBER, description="a number above that of the post "
                                          "before: what is sent again after a lost answer is taken once")


class SessionCreated(BaseModel):
    sessionId: str
    status: Literal["created", "existing"]


class Streamed(BaseModel):
    status: Literal["streamed"]


class StreamRefused(Refused):
    status: Literal["session_not_found", "invalid_audio"]


class AgentAnswer(BaseModel):
    """What the agent says."""

    audio: str = Field(description="16-bit samples of 16000 Hz in base64; empty where there is none")
    transcript: str
    hasMore: bool = Field(description="more waits: poll again at once")
    clear: Optional[Literal[True]] = Field(None, description="discard what has not been played; the audio of this "
                                           "answer comes after that")
    position: Optional[int] = Field(None, description="to be told as `received` by the next poll; only where this one "
                                    "had `received`")


class Summary(BaseModel):
    callId: str
    duration: int = Field(description="ms")
    transcript: List[str]
    actions: List[Any]


class SessionEnded(BaseModel):
    status: Literal["ended"]
    summary: Summary


class SessionInfo(BaseModel):
    callId: str
    status: Literal["active", "failed"]
    createdAt: str
    lastActivity: str
    transcriptCount: int
    actionsCount: int
    error: Optional[str] = Field(None, description="why the agent cannot go on; only of a failed session")
    remark: Optional[str] = Field(None, description="why the agent is not the one that was asked for; only then")


class Sessions(BaseModel):
    sessions: List[SessionInfo]
    count: int


def read_model(model: type[BaseModel], body: bytes) -> Any:
    """Return the body as `model`; raise Refusal: 400 where it is no JSON, 422 where something in it is wrong."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is no JSON: {error}") from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'the body'}: {fault['msg']}"
                           for fault in error.errors(include_url=False, include_input=False)[:5])
        raise Refusal(422, f"the body cannot be used: {faults}") from error


def read_post(body: bytes) -> tuple[str, int | None, int | None]:
    """Return audio, heard and sequence of a body; raise Refusal as `read_model` does."""
    try:
        value = orjson.loads(body)
        if type(value["audio"]) is str and len(value) == 1:  # as nearly all are: nothing else is to be checked
            return value["audio"], None, None
    except (orjson.JSONDecodeError, LookupError, TypeError):
        pass  # what is wrong with it is found below
    asked: PostAudio = read_model(PostAudio, body)
    return asked.audio, asked.heard, asked.sequence


def read_audio(text: str) -> bytes:
    """Return the samples in a text of base64, of either alphabet, padded or not; raise ValueError."""
    try:
        audio = _decode(text)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"audio is no base64: {error}") from error
    if not audio:
        raise ValueError("audio is empty: send 16-bit samples of 16000 Hz in base64")
    if len(audio) % 2:
        raise ValueError(f"audio has {len(audio)} bytes, and a sample has 2: send whole samples")
    return audio


def _decode(text: str) -> bytes:
    if sys.version_info >= (3, 11):
        try:
            return binascii.a2b_base64(text, strict_mode=True)  # several times as fast, and what nearly all send
        except (binascii.Error, ValueError):
            pass
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def info(state: SessionState) -> dict[str, Any]:
    """Return what can be asked about a session."""
    shown: dict[str, Any] = {
        "callId": state.opening.call_id, "status": "failed" if state.error else "active",
        "createdAt": _time(state.created_at), "lastActivity": _time(state.last_activity),
        "transcriptCount": len(state.lines), "actionsCount": len(state.actions)}
    if state.error:
        shown["error"] = state.error
    if state.opening.remark:
        shown["remark"] = state.opening.remark
    return shown


def summary(state: SessionState, now: float) -> dict[str, Any]:
    """Return what a session was, at its end."""
    return {"callId": state.opening.call_id, "duration": max(0, round((now - state.created_at) * 1000)),
            "transcript": [f"[{line.speaker}]: {line.text}" for line in state.lines], "actions": state.actions}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
