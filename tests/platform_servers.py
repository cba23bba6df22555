"""Servers of telephony platforms, for tests: they keep what they are told, and know how the platform says things."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass, field
from typing import Any, Callable

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from freeswitch_audio_stream.audio import Encoding, Samples, decode

_END_SECONDS = 30


@dataclass
class Heard:
    """What one connection has said."""

    connection: ServerConnection
    messages: list[Any] = field(default_factory=list)
    """Texts, as JSON where they are, and binary messages; in order."""
    is_over: threading.Event = field(default_factory=threading.Event)
    """Set when all has been heard."""

    @property
    def texts(self) -> list[Any]:
        return [message for message in self.messages if not isinstance(message, bytes)]


class Server:
    """A WebSocket server that keeps what it is told; any thread may look and answer."""

    def __init__(self) -> None:
        self.connections: list[Heard] = []
        self._server = serve(self._talk, "127.0.0.1", 0)
        self.url = "ws://127.0.0.1:%d/" % self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _talk(self, connection: ServerConnection) -> None:
        heard = Heard(connection)
        self.connections.append(heard)
        try:
            for message in connection:
                heard.messages.append(message if isinstance(message, bytes) else _read(message))
        except ConnectionClosed:
            pass  # the call is over
        finally:
            heard.is_over.set()

    @property
    def texts(self) -> list[Any]:
        return self.connections[0].texts if self.connections else []

    def send(self, message: bytes | str | dict[str, Any]) -> None:
        self.connections[0].connection.send(
            orjson.dumps(message).decode() if isinstance(message, dict) else message)

    def wait_for_close(self) -> None:
        """Block until the connection is over, and all that it has said is there."""
        assert self.connections[0].is_over.wait(_END_SECONDS)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(_END_SECONDS)


def _read(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _in_base64(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


@dataclass(frozen=True)
class Kind:
    """How a platform's server says and hears things."""

    encoding: Encoding
    play: Callable[[bytes], Any]
    mark: Callable[[str], Any]
    clear: Any
    marked: Callable[[Any], str | None]
    """The name in a message that reports a mark; None for other messages."""
    digit: Callable[[Any], str | None]
    ends: bool = True
    """Whether a last message says that the stream is over."""
    returns_cleared: bool = True


def _event(name: str, *path: str) -> Callable[[Any], str | None]:
    """What a message with this event has at a path."""
    def value(message: Any) -> str | None:
        if not isinstance(message, dict) or name not in (message.get("event"), message.get("type")):
            return None
        for key in path:
            message = message[key]
        return str(message)
    return value


def _media(audio: bytes) -> Any:
    return {"event": "media", "media": {"payload": _in_base64(audio)}}


def _named_mark(name: str) -> Any:
    return {"event": "mark", "mark": {"name": name}}


TWILIO = Kind(Encoding.MULAW, _media, _named_mark, {"event": "clear"}, _event("mark", "mark", "name"),
              _event("dtmf", "dtmf", "digit"))


def _word(event: str, place: int) -> Callable[[Any], str | None]:
    def value(message: Any) -> str | None:
        words = message.split() if isinstance(message, str) else []
        return words[place].removeprefix("digit:") if words[:1] == [event] else None
    return value


KINDS = {
    "twilio": TWILIO,
    "signalwire": TWILIO,
    "telnyx": TWILIO,
    "exotel": Kind(Encoding.L16, _media, _named_mark, {"event": "clear"}, _event("mark", "mark", "name"),
                   _event("dtmf", "dtmf", "digit")),
    "plivo": Kind(Encoding.L16, lambda audio: {"event": "playAudio", "media": {
        "contentType": "audio/x-l16", "sampleRate": 8000, "payload": _in_base64(audio)}},
        lambda name: {"event": "checkpoint", "name": name}, {"event": "clearAudio"}, _event("playedStream", "name"),
        _event("dtmf", "dtmf", "digit"), ends=False, returns_cleared=False),
    "vonage": Kind(Encoding.L16, lambda audio: audio, lambda name: {"action": "notify", "payload": {"name": name}},
                   {"action": "clear"}, _event("websocket:notify", "payload", "name"),
                   _event("websocket:dtmf", "digit"), ends=False, returns_cleared=False),
    "jambonz": Kind(Encoding.L16, lambda audio: audio, lambda name: {"type": "mark", "data": {"name": name}},
                    {"type": "killAudio"}, _event("mark", "data", "name"), _event("dtmf", "dtmf"), ends=False),
    "asterisk": Kind(Encoding.L16, lambda audio: audio, lambda name: f"MARK_MEDIA {name}", "FLUSH_MEDIA",
                     _word("MEDIA_MARK_PROCESSED", 1), _word("DTMF_END", 1), ends=False, returns_cleared=False),
    "asterisk-json": Kind(Encoding.L16, lambda audio: audio,
                          lambda name: {"command": "MARK_MEDIA", "correlation_id": name}, {"command": "FLUSH_MEDIA"},
                          _event("MEDIA_MARK_PROCESSED", "correlation_id"), _event("DTMF_END", "digit"), ends=False,
                          returns_cleared=False),
}


def heard(server: Server, kind: Kind) -> Samples:
    """What the server has heard of the caller."""
    pieces = [message if isinstance(message, bytes) else base64.b64decode(message["media"]["payload"])
              for message in list(server.connections[0].messages)
              if isinstance(message, bytes) or isinstance(message, dict) and message.get("event") == "media"]
    return decode(b"".join(pieces), kind.encoding)


def marks(server: Server, kind: Kind) -> list[str]:
    return [name for name in map(kind.marked, server.texts) if name is not None]
