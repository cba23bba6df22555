"""A gateway on a port of its own, with agents that tests write, and a client that shares no code with it."""

from __future__ import annotations

import base64
import http.client
import threading
from dataclasses import replace
from typing import Any, Mapping

import orjson
import pytest

from freeswitch_audio_stream.services.gateway import server
from freeswitch_audio_stream.services.gateway.agents import Agent, AgentProfile, Conversation, Output, registry
from freeswitch_audio_stream.services.gateway.server import Gateway
from freeswitch_audio_stream.services.gateway.settings import GatewaySettings
from tests.engine.harness import PATIENCE, until


class Scripted(Agent):
    """An agent that does what a test has it do, on the gateway's event loop, and remembers what it was told."""

    made: list["Scripted"] = []

    def __init__(self, conversation: Conversation, profile: AgentProfile, output: Output) -> None:
        super().__init__(conversation, profile, output)
        self.audio = bytearray()
        self.reports: list[tuple[int, bool]] = []
        self.ended = threading.Event()
        self.fault: Exception | None = None
        Scripted.made.append(self)

    async def hear(self, audio: bytes) -> None:
        if self.fault:
            raise self.fault
        self.audio += audio

    async def heard(self, milliseconds: int, cleared: bool) -> None:
        self.reports.append((milliseconds, cleared))

    async def end(self) -> None:
        self.ended.set()


class Site:
    """A gateway, and requests to it."""

    def __init__(self, key: str = "", **settings: Any) -> None:
        self.log: list[str] = []
        self.key = key
        self.gateway = Gateway(replace(GatewaySettings(port=0), **settings), self.log.append)
        self.gateway.start()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        status, _, content = self.raw(method, path, None if body is None else orjson.dumps(body), **headers)
        return status, orjson.loads(content)

    def raw(self, method: str, path: str, body: bytes | None = None,
            **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(self.gateway.url.partition("//")[2], timeout=PATIENCE)
        given = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            connection.request(method, path, body, {**given, **headers})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def create(self, call: str = "call", **more: str) -> tuple[int, dict[str, Any]]:
        return self.request("POST", "/api/voice/session/create", {"callId": call, **more})

    def post(self, audio: bytes, call: str = "call", **more: Any) -> tuple[int, dict[str, Any]]:
        return self.request("POST", f"/api/voice/stream/{call}", {"audio": base64.b64encode(audio).decode(), **more})

    def poll(self, call: str = "call", **query: int) -> tuple[int, dict[str, Any]]:
        words = "&".join(f"{name}={value}" for name, value in {"timeout": 30_000, **query}.items())
        return self.request("GET", f"/api/voice/stream/{call}/response?{words}")

    def agent(self) -> Scripted:
        """The one that was made last; a session is there a moment before its agent is."""
        until(lambda: bool(Scripted.made))
        return Scripted.made[-1]

    def do(self, *steps: tuple[Any, ...]) -> None:
        """Have the agent say something, all at once: a method of its output each, and what it is called with."""
        output, done = self.agent().output, threading.Event()

        def say() -> None:
            for name, *arguments in steps:
                getattr(output, name)(*arguments)
            done.set()
        assert self.gateway._loop is not None
        self.gateway._loop.call_soon_threadsafe(say)
        assert done.wait(PATIENCE)

    def close(self) -> None:
        assert self.gateway.stop()
        assert [line for line in self.log if "defect" in line] == []


def use_scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every profile is of the agent that tests write."""
    monkeypatch.setattr(registry, "agent_class", lambda name: Scripted)
    monkeypatch.setattr(server, "create", lambda *arguments: Scripted(*arguments))
    Scripted.made.clear()


def audio_of(answer: tuple[int, dict[str, Any]]) -> bytes:
    assert answer[0] == 200, answer
    return base64.b64decode(answer[1]["audio"])
