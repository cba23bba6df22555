"""What those platforms share whose messages are JSON objects with the member ``event``: Twilio's way and its relatives.

They differ in the names of the members, in whether numbers are texts, in the encodings and in their ids.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Callable, ClassVar, Mapping, Sequence

import orjson

from ...audio import Encoding, Track
from ...errors import MessageError, SettingError
from ..messages import ClearAudio, Incoming, MediaTemplate, OutMessage, PlayAudio, Running, SetCheckpoint, StreamInfo
from ..reading import checkpoint_name, from_base64, json_object, shown, whole_samples
from ..session import ProtocolSession, WireProtocol


@dataclass(frozen=True)
class Ids:
    """What a platform calls the account, the call and the stream."""

    account: str
    call: str
    stream: str


def call_hex(info: StreamInfo) -> str:
    """Return 32 hexadecimal digits for the call: those of its UUID, so that both can be told to be the same call."""
    try:
        return uuid.UUID(info.uuid).hex
    except ValueError:  # FreeSWITCH takes any text for the UUID of a call
        return uuid.uuid5(uuid.NAMESPACE_OID, info.uuid).hex


def hyphenated(digits: str) -> str:
    """Return 32 hexadecimal digits in the form of a UUID."""
    return str(uuid.UUID(digits))


def custom_parameters(info: StreamInfo) -> dict[str, Any]:
    """Return the members of the metadata; metadata that are no JSON object are one, named ``metadata``."""
    if info.metadata is None:
        return {}
    try:
        body = orjson.loads(info.metadata)
    except orjson.JSONDecodeError:
        body = info.metadata
    return body if isinstance(body, dict) else {"metadata": body}


def mono(name: str, track: Track, encoding: Encoding, rate: int, rates: Sequence[int]) -> tuple[Track, Encoding]:
    """Return what a platform carries that has linear audio of one channel, as binary messages, for what is asked for:
    the two sides of a call are added up where both are. Raise SettingError for a rate, in Hz, that is not of `rates`.
    """
    if rate not in rates:
        raise SettingError(f"the protocol {name} does not carry {rate} Hz: start the stream with "
                           f"{' or '.join(map(str, rates))}")
    return track if track in (Track.INBOUND, Track.OUTBOUND) else Track.MIXED, Encoding.L16


def as_texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the same members, each value that is not a text as its JSON."""
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode()
            for name, value in parameters.items()}


@dataclass(frozen=True)
class EventPlatform(WireProtocol):
    """A platform of that kind; the stream carries inbound, outbound or both, each track in messages of its own."""

    packet_ms: int | None = 20
    subprotocol: str | None = ""
    has_text: bool = False
    has_binary: bool = False
    counts_anew: bool = True
    audio_is_alike: bool = True
    formats: Mapping[tuple[Encoding, int], str] = field(default_factory=dict)
    """What the platform calls an encoding at a rate in Hz; it carries no other. The first at a rate is the default."""
    sequence_key: str = "sequenceNumber"
    stream_key: str = "streamSid"
    numbers_are_texts: bool = True
    """Whether sequence numbers and chunks are written as texts; timestamps always are."""

    def carried(self, track: Track, encoding: Encoding, rate: int) -> tuple[Track, Encoding]:
        if track not in (Track.INBOUND, Track.OUTBOUND, Track.BOTH):
            raise SettingError(f"the protocol {self.name} has no track {track.value}: use inbound, outbound or both")
        encodings = [known for known, hertz in self.formats if hertz == rate]
        if not encodings:
            rates = " or ".join(sorted({str(hertz) for _, hertz in self.formats}, key=int))
            raise SettingError(f"the protocol {self.name} does not carry {rate} Hz: start the stream with {rates}")
        return track, encoding if encoding in encodings else encodings[0]

    def ids(self, info: StreamInfo) -> Ids:
        """Return the ids of a stream: those that were set, else such as the platform might give."""
        given = info.identity
        return Ids(given.account or "0" * 32, given.call or hyphenated(call_hex(info)),
                   given.stream or hyphenated(given.nonce))

    def format_name(self, info: StreamInfo) -> str:
        """Return what the platform calls the stream's encoding."""
        return self.formats[info.encoding, info.rate]

    def media(self, info: StreamInfo, track: Track) -> MediaTemplate:
        quote = b'"' if self.numbers_are_texts else b""
        stream = orjson.dumps({self.stream_key: self.ids(info).stream})[1:-1]
        return MediaTemplate((
            b'{"event":"media","%s":%s' % (self.sequence_key.encode(), quote), Running.SEQUENCE,
            b'%s,"media":{"track":"%s","chunk":%s' % (quote, track.value.encode(), quote), Running.CHUNK,
            b'%s,"timestamp":"' % quote, Running.TIMESTAMP, b'","payload":"', Running.PAYLOAD, b'"},%s}' % stream),
            info.encoding)


Reader = Callable[[Any, dict[str, Any]], Sequence[Incoming]]
"""A method: the session, and the message."""


class EventSession(ProtocolSession):
    """The messages that they have in common, by the names of the platform."""

    def __init__(self, info: StreamInfo, platform: EventPlatform) -> None:
        super().__init__(info)
        self.platform = platform
        self.ids = platform.ids(info)

    @property
    def tracks(self) -> list[str]:
        """The stream's tracks, by name."""
        return [track.value for track in self.info.track.parts]

    def numbered(self, event: str, body: Mapping[str, Any]) -> OutMessage:
        """Return a message with the stream's next sequence number and the stream's id."""
        platform = self.platform
        quote = b'"' if platform.numbers_are_texts else b""
        rest = orjson.dumps({**body, platform.stream_key: self.ids.stream})[1:]
        return OutMessage(b'{"event":"%s","%s":%s' % (event.encode(), platform.sequence_key.encode(), quote),
                          quote + b"," + rest)

    def checkpoint(self, name: str, status: str) -> Sequence[OutMessage]:
        # Marks of audio that was cleared come back as well.
        return [self.numbered("mark", {"mark": {"name": name}})]

    def receive(self, message: bytes) -> Sequence[Incoming]:
        body = json_object(message)
        event = body.get("event")
        read = self.readers.get(event) if isinstance(event, str) else None
        if read is None:
            raise MessageError("event", f"a message has the event {shown(event)}: {self.platform.name} takes "
                                        f"{', '.join(self.readers)}")
        stream = body.get(self.platform.stream_key)
        if stream is not None and stream != self.ids.stream:
            raise MessageError("stream_id", f"{event} is for the {self.platform.stream_key} {shown(stream)}: use "
                                            f"{shown(self.ids.stream)}")
        return read(self, body)

    def member(self, event: str, body: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return the object that is the member `name`; raise MessageError of the kind `event` if there is none."""
        value = body.get(name)
        if not isinstance(value, dict):
            raise MessageError(event, f"{event} has no object named {name}")
        return value

    def audio(self, event: str, media: Mapping[str, Any], encoding: Encoding, rate: int) -> PlayAudio:
        """Return the audio in the member ``payload`` of `media`; raise MessageError of the kind `event`."""
        payload = media.get("payload")
        if not isinstance(payload, str):
            raise MessageError(event, f"{event} has no text named payload: put the audio there in base64")
        return PlayAudio(whole_samples(event, from_base64(event, "payload", payload), encoding), encoding, rate)

    def _media(self, body: dict[str, Any]) -> Sequence[Incoming]:
        return [self.audio("media", self.member("media", body, "media"), self.info.encoding, self.info.rate)]

    def _mark(self, body: dict[str, Any]) -> Sequence[Incoming]:
        return [SetCheckpoint(checkpoint_name("mark", self.member("mark", body, "mark").get("name")))]

    def _clear(self, body: dict[str, Any]) -> Sequence[Incoming]:
        return [ClearAudio()]

    readers: ClassVar[Mapping[str, Reader]] = {"media": _media, "mark": _mark, "clear": _clear}
    """What the server may send, by event."""
