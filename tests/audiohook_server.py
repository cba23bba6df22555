"""A server of Genesys' AudioHook, for tests: its side of one session."""

from __future__ import annotations

from typing import Any

import orjson

from freeswitch_audio_stream.audio import Encoding, Samples, decode, encode
from tests.engine.harness import until
from tests.platform_servers import Heard


class Hook:
    """Over one connection of `platform_servers.Server`."""

    def __init__(self, heard: Heard) -> None:
        self.heard = heard
        self._seq = 0
        until(lambda: self.said("open"))
        self.open = self.said("open")[0]

    def said(self, kind: str) -> list[Any]:
        return [message for message in list(self.heard.messages)
                if isinstance(message, dict) and message["type"] == kind]

    def say(self, kind: str, **parameters: Any) -> None:
        self._seq += 1
        self.heard.connection.send(orjson.dumps({
            "version": "2", "type": kind, "seq": self._seq, "clientseq": len(self.heard.texts),
            "id": self.open["id"], "parameters": parameters}).decode())

    def opened(self, choice: int = 0, **parameters: Any) -> None:
        self.say("opened", media=[self.open["parameters"]["media"][choice]], **parameters)

    def audio(self, encoding: Encoding) -> Samples:
        return decode(b"".join(message for message in list(self.heard.messages) if isinstance(message, bytes)),
                      encoding)

    def play(self, samples: Samples, encoding: Encoding) -> None:
        self.heard.connection.send(encode(samples, encoding))
