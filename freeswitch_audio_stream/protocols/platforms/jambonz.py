"""jambonz' audio streams (its verb ``listen``) and drachtio's mod_audio_fork: ``jambonz``.

Linear samples in binary messages, both ways; JSON objects with ``type`` and ``data`` from the server. The first
message has the call's attributes with the metadata among them; metadata that are no JSON object are sent instead, as
they are, as mod_audio_fork does. After jambonz' page on listen, and what npm ``@jambonz/sdk`` sends and reads. The
duration of a digit is in samples at 8000 Hz, as FreeSWITCH counts it: jambonz-feature-server passes on what FreeSWITCH
tells (lib/tasks/listen.js).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

import orjson

from ...audio import ALL_RATES, Encoding, Track
from ...errors import MessageError
from ..messages import (CallAction, ClearAudio, ControlCall, HangUp, Incoming, OutMessage, Reply, SetCheckpoint,
                        StreamAudio, StreamInfo, TextReceived, TranscriptionReceived)
from ..reading import check_writable, checkpoint_name, from_base64, json_object, shown, whole_samples
from ..session import ProtocolSession, WireProtocol
from .event_messages import custom_parameters

_KINDS = {"raw": "raw", "wav": "wav", "wave": "wav", "mp3": "mp3"}
_MIX = {Track.INBOUND: "mono", Track.OUTBOUND: "mono", Track.MIXED: "mixed", Track.STEREO: "stereo"}
_SAMPLES_PER_MS = 8
_PLAY_DONE = "playAudio "
_PASSED_ON = "json"  # the type of messages for the application, as they are


@dataclass(frozen=True)
class Jambonz(WireProtocol):
    """The platform."""

    has_text: bool = True
    subprotocol: str | None = "audio.drachtio.org, audio.jambonz.org"  # the SDK knows the first, the page the second

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        return Track.STEREO if track is Track.BOTH else track, Encoding.L16

    def open(self, info: StreamInfo) -> JambonzSession:
        return JambonzSession(info)


class JambonzSession(ProtocolSession):
    """The call's attributes, digits, mark and playDone; what the server may send is in `_READERS`."""

    def __init__(self, info: StreamInfo) -> None:
        super().__init__(info)
        self._marks: list[str] = []

    def opening(self) -> Sequence[OutMessage]:
        info, names = self.info, self.info.identity
        parameters = custom_parameters(info)
        if list(parameters) == ["metadata"] and info.metadata is not None and parameters["metadata"] == info.metadata:
            return self.text(info.metadata)
        call = {"callSid": names.call or info.uuid, "callId": info.uuid, "accountSid": names.account,
                "from": names.caller, "to": names.callee, "sampleRate": info.rate, "mixType": _MIX[info.track]}
        return [OutMessage(orjson.dumps({**call, **parameters}))]

    def digit(self, digit: str, duration_ms: int) -> Sequence[OutMessage]:
        return [OutMessage(orjson.dumps(
            {"event": "dtmf", "dtmf": digit, "duration": str(_SAMPLES_PER_MS * duration_ms)}))]

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        if name in self._marks:
            self._marks.remove(name)
            return [_mark(name, "playout" if status == "played" else "cleared")]
        if name.startswith(_PLAY_DONE):
            return [_typed("playDone", {"id": name[len(_PLAY_DONE):]})]
        return ()  # a mark that clearMarks has taken back

    def text(self, text: str) -> Sequence[OutMessage]:
        return [OutMessage(text.encode())]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        kind = body.get("type")
        if kind == _PASSED_ON:
            return [TextReceived(message.decode())]
        read = _READERS.get(kind) if isinstance(kind, str) else None
        if read is None:
            raise MessageError("type", f"a message has the type {shown(kind)}: jambonz takes "
                                       f"{', '.join((*_READERS, _PASSED_ON))}")
        data = body.get("data")
        return read(self, data if isinstance(data, dict) else {})

    def _mark(self, data: dict[str, Any]) -> Sequence[Incoming]:
        name = checkpoint_name("mark", data.get("name"))
        self._marks.append(name)
        return [SetCheckpoint(name)]

    def _clear_marks(self, data: dict[str, Any]) -> Sequence[Incoming]:
        marks, self._marks = self._marks, []
        return [Reply(_mark(name, "cleared")) for name in marks]

    def _play(self, data: dict[str, Any]) -> Sequence[Incoming]:
        given, text = data.get("audioContentType"), data.pop("audioContent", None)
        kind = _KINDS.get(given) if isinstance(given, str) else None
        rate: Any = data.get("sampleRate")
        if kind is None:
            raise MessageError("playAudio", f"playAudio has the audioContentType {shown(given)}: use one of "
                                            f"{', '.join(_KINDS)}")
        if kind == "raw" and rate not in ALL_RATES:
            raise MessageError("playAudio", f"playAudio has the sampleRate {shown(rate)} for raw audio: use one of "
                                            f"{', '.join(map(str, ALL_RATES))}")
        if not isinstance(text, str):
            raise MessageError("playAudio", "playAudio has no text named audioContent: put the audio there in base64")
        check_writable("playAudio", "data", data)
        audio = from_base64("playAudio", "audioContent", text)
        if kind == "raw":
            audio = whole_samples("playAudio", audio, Encoding.L16)
        played = StreamAudio(audio, kind, int(rate) if kind == "raw" else None, data)
        if data.get("id") is None:
            return [played]
        return [played, SetCheckpoint(checkpoint_name("playAudio", _PLAY_DONE + str(data["id"])))]

    def _kill(self, data: dict[str, Any]) -> Sequence[Incoming]:
        return [ClearAudio()]

    def _disconnect(self, data: dict[str, Any]) -> Sequence[Incoming]:
        return [ControlCall(CallAction.HANG_UP), HangUp()]

    def _transfer(self, data: dict[str, Any]) -> Sequence[Incoming]:
        return [ControlCall(CallAction.TRANSFER, _first_text(data))]

    def _digits(self, data: dict[str, Any]) -> Sequence[Incoming]:
        return [ControlCall(CallAction.SEND_DIGITS, _first_text(data))]

    def _transcription(self, data: dict[str, Any]) -> Sequence[Incoming]:
        check_writable("transcription", "data", data)
        return [TranscriptionReceived(data)]

    def _error(self, data: dict[str, Any]) -> Sequence[Incoming]:
        raise MessageError("error", f"the server reports an error: {_first_text(data) or 'it does not say which'}")


_READERS: Mapping[str, Callable[[JambonzSession, dict[str, Any]], Sequence[Incoming]]] = {
    "playAudio": JambonzSession._play, "killAudio": JambonzSession._kill, "mark": JambonzSession._mark,
    "clearMarks": JambonzSession._clear_marks, "disconnect": JambonzSession._disconnect,
    "transfer": JambonzSession._transfer, "dtmf": JambonzSession._digits,
    "transcription": JambonzSession._transcription, "error": JambonzSession._error}

JAMBONZ = Jambonz("jambonz")


def _typed(kind: str, data: Mapping[str, Any]) -> OutMessage:
    return OutMessage(orjson.dumps({"type": kind, "data": data}))


def _mark(name: str, event: str) -> OutMessage:
    return _typed("mark", {"name": name, "event": event})


def _first_text(data: Mapping[str, Any]) -> str:
    """Return what the message is about: servers agree on no name for it."""
    return next((value for value in data.values() if isinstance(value, str)), "")
