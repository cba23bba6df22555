"""Functions that the model calls: who answers, what goes wrong, and what the client gets to know."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Iterator

import pytest

from freeswitch_audio_stream.services.gateway.agents.openai_realtime.functions import MOST_BYTES, Functions, check
from freeswitch_audio_stream.services.gateway.agents.openai_realtime.options import Tool
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script, Turn
from tests.engine.harness import until
from tests.services.gateway.agents.outputs import CONVERSATION

from .caller import Caller
from .conftest import MakeSite
from .models import voice

HERE = "tests.services.gateway.agents.openai_realtime.tools"
PARAMETERS = {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]}


class Webhook(HTTPServer):
    answer: tuple[int, bytes] = (200, b'{"left": 3}')
    location = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[dict[str, str], Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status, content = self.server.answer
        self.send_response(status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _url(server: Webhook) -> str:
    return f"http://127.0.0.1:{server.server_port}/tools"


def _call(tool: Tool, arguments: str = '{"article": "tea"}', name: str = "stock") -> Any:
    return asyncio.run(Functions([tool], CONVERSATION).call(name, arguments))


@pytest.mark.parametrize("function", ["stock", "stock_soon"])
def test_a_python_function_answers(function: str) -> None:
    assert _call(Tool("stock", python=f"{HERE}:{function}")) == {
        "article": "tea", "left": 7, "for": CONVERSATION.caller_number}


@pytest.mark.parametrize("tool, arguments, fault", [
    (Tool("stock", python=f"{HERE}:broken"), "{}", "LookupError: no such article"),
    (Tool("stock", python=f"{HERE}:slow", timeout_secs=0), "{}", "stock has not answered within 0 s"),
    (Tool("stock", python=f"{HERE}:unwritable"), "{}", "not JSON serializable"),
    (Tool("stock"), "{", "the arguments are not JSON"),
    (Tool("stock", webhook="http://127.0.0.1:9/"), "{}", "ConnectError"),
    (Tool("other"), "{}", "there is no function stock"),
], ids=["raises", "slow", "no JSON", "wrong arguments", "nobody there", "unknown"])
def test_what_goes_wrong_is_told_to_the_model(tool: Tool, arguments: str, fault: str) -> None:
    assert fault in _call(tool, arguments)["error"]


def test_a_call_that_nobody_answers_is_noted() -> None:
    assert _call(Tool("stock")) == {"status": "noted"}


def test_a_webhook_answers(webhook: Webhook) -> None:
    assert _call(Tool("stock", _url(webhook), {"Authorization": "Bearer x"})) == {"left": 3}
    (headers, body), = webhook.requests
    assert headers["authorization"] == "Bearer x" and headers["content-type"] == "application/json"
    assert body == {"function": "stock", "arguments": {"article": "tea"}, "callId": "call-1", "tenantId": "tenant-1",
                    "storeId": "store-1", "did": "5406594427", "callerNumber": "393297626144"}


@pytest.mark.parametrize("answer, expected", [
    ((200, b"only words"), "only words"), ((204, b""), None), ((500, b"{}"), {"error": "the webhook answers 500"}),
    ((200, b"x" * (MOST_BYTES + 1)), {"error": f"the answer has more than {MOST_BYTES} bytes"})])
def test_what_a_webhook_may_answer(answer: tuple[int, bytes], expected: Any, webhook: Webhook) -> None:
    webhook.answer = answer
    assert _call(Tool("stock", _url(webhook))) == expected


def test_a_webhook_does_not_lead_elsewhere(webhook: Webhook) -> None:
    webhook.answer, webhook.location = (307, b""), _url(webhook)
    assert _call(Tool("stock", _url(webhook))) == {"error": "the webhook answers 307"}
    assert len(webhook.requests) == 1


@pytest.mark.parametrize("place, fault", [
    (f"{HERE}:nobody", "has no attribute 'nobody'"), ("no.such:thing", "No module"),
    (f"{HERE}:number", "cannot be called")])
def test_callables_are_looked_for_at_the_start(place: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        check([Tool("stock", python=place)])
    check([Tool("stock", python=f"{HERE}:stock"), Tool("other", webhook="http://127.0.0.1/")])


def test_the_model_speaks_of_what_a_function_answered(service: RealtimeServer, script: Script, make_site: MakeSite
                                                      ) -> None:
    def reply(turn: Turn) -> Reply:
        last = turn.items[-1]
        if last.role == "function_call_output":
            return Reply(f"It is {last.body['output']}.", voice(1, 0.5))
        return Reply(call=("stock", '{"article": "tea"}'))
    script.reply = reply
    tool = {"name": "stock", "description": "How much is left.", "parameters": PARAMETERS, "python": f"{HERE}:stock"}
    with make_site(tools=[tool, {"name": "note_down"}]) as site:
        caller = Caller(site)
        until(lambda: service.sessions and service.sessions[0].received)
        assert service.sessions[0].received[0]["session"]["tools"] == [
            {"type": "function", "name": "stock", "description": "How much is left.", "parameters": PARAMETERS},
            {"type": "function", "name": "note_down", "parameters": {"type": "object", "properties": {}}}]
        caller.speak(1)
        caller.listen(lambda: caller.heard_ms >= 499)
        summary: Any = caller.end()
    result = {"article": "tea", "left": 7, "for": ""}
    call, answer = summary["actions"]
    assert call == {"type": "function_call", "id": call["id"], "name": "stock", "arguments": {"article": "tea"}}
    assert answer == {"type": "function_result", "id": call["id"], "name": "stock", "result": result}
    assert summary["transcript"][1] == f"[AI]: It is {json.dumps(result, separators=(',', ':'))}."
    assert service.sessions[0].errors == []
