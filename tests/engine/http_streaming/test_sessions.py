"""Streams to a server that knows only the specification: the session, what is posted and polled for, and the end."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.transports import certificates
from tests.transports.certificates import Certificate

from ..harness import CodecSpec, Platform, audible, find, noise, until
from .api_server import ApiServer, Wrong

WIDE = CodecSpec("L16", 16000)


def test_a_session_from_its_creation_to_its_end(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000, metadata=orjson.dumps(
            {"tenantId": "t", "storeId": 5, "did": "1000", "callerNumber": "2000", "aiAgentRef": "care",
             "unknown": "x"}).decode())
        spoken = noise(8000)
        call.say(spoken)
        until(lambda: find(server.heard, spoken) >= 0)
        create, = server.of("create")
        assert create.body == {"callId": call.uuid, "tenantId": "t", "storeId": "5", "did": "1000",
                               "callerNumber": "2000", "aiAgentRef": "care"}
        first, second = noise(3000, 2), noise(4000, 3)
        server.say(first, "[AI]: Hello", more=True)
        server.say(second)
        server.say(transcript="[User]: Hi")
        until(lambda: len(platform.events("transcription_received", call)) == 2)
        until(lambda: find(call.heard(), first) >= 0 and find(call.heard(), second) >= 0)
        assert find(call.heard(), second) == find(call.heard(), first) + len(first), "without a gap"
        assert [event["payload"] for event in platform.events("transcription_received", call)] == [
            {"transcript": "[AI]: Hello", "speaker": "ai", "text": "Hello"},
            {"transcript": "[User]: Hi", "speaker": "user", "text": "Hi"}]
        status = platform.status(call)
        assert (status["protocol"], status["state"], status["sampleRate"]) == ("http", "streaming", 16000)
        call.hangup()
        stopped = platform.event("stream_stopped", call)
        assert (stopped["reason"], stopped["summary"]["transcript"]) == ("hangup", ["[AI]: Hi"])
        assert len(server.of("end")) == 1
        assert server.sessions == set()
        counters = stopped["statistics"]
        assert counters["messagesSent"] == len(server.of("post")) + len(server.of("poll")) + 1
        assert counters["errors"] == 0
        for kind in ("post", "poll"):
            assert len({asked.connection for asked in server.of(kind)}) == 1, "on one connection that is kept"
        assert server.of("post")[0].connection == create.connection


def test_what_the_metadata_do_not_say_the_channel_does(platform: Platform) -> None:
    with ApiServer() as server:
        variables = {"voice_tenant_id": "t", "voice_store_id": "s", "voice_agent_ref": "a",
                     "destination_number": "100", "caller_id_number": "200"}
        call = platform.call(codec=WIDE, variables=variables)
        platform.start(call, server.url, rate=16000, metadata='{"storeId":"other"}')
        until(lambda: server.of("create"))
        assert server.of("create")[0].body == {"callId": call.uuid, "tenantId": "t", "storeId": "other", "did": "100",
                                               "callerNumber": "200", "aiAgentRef": "a"}


def test_chunks_and_both_sides_of_the_call(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, "{chunk-ms=20}" + server.url, rate=16000, track="both", bidirectional=0)
        spoken = noise(4000)
        call.say(spoken)
        until(lambda: find(server.heard, spoken) >= 0)
        assert {len(samples) % 320 for samples in server.posts} == {0}
        assert min(len(samples) for samples in server.posts) == 320
        assert server.of("poll") == [], "nobody listens"
        assert platform.status(call)["track"] == "mixed"


def test_a_hundred_ms_are_a_chunk(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: len(server.posts) > 3)
        assert {len(samples) % 1600 for samples in server.posts} == {0}


@pytest.mark.slow
def test_graceful_shutdown_plays_all_that_the_server_has(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.of("poll"))
        parts = [noise(4000, seed) for seed in range(5)]
        for number, part in enumerate(parts):
            server.say(part, more=number < 4)
        until(lambda: server.speech.empty())
        platform.tell(call, "graceful-shutdown")
        assert platform.event("stream_stopped", call)["reason"] == "graceful"
        heard = call.heard()
        assert all(find(heard, part) >= 0 for part in parts)


def test_pausing_and_clearing(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        platform.tell(call, "pause_play")
        server.say(noise(16000))
        platform.event("media_play_start", call)
        platform.tell(call, "clear_play")
        platform.tell(call, "resume_play")
        after = noise(3000, 5)
        server.say(after)
        until(lambda: find(call.heard(), after) >= 0)
        assert len(audible(call.heard())) == len(after)
        platform.tell(call, "pause")
        posted = len(server.posts)
        spoken = noise(3200, 6)
        call.say(spoken)
        until(call.has_spoken)
        platform.tell(call, "resume")
        until(lambda: len(server.posts) > posted + 3)
        assert find(server.heard, spoken) < 0


def test_a_server_that_closes_after_each_answer(platform: Platform) -> None:
    with ApiServer(keeps_open=False) as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        spoken, answer = noise(16000), noise(3000, 2)
        call.say(spoken)
        server.say(answer)
        until(lambda: find(server.heard, spoken) >= 0 and find(call.heard(), answer) >= 0)
        platform.tell(call, "stop")
        stopped = platform.event("stream_stopped", call)
        assert (stopped["statistics"]["reconnects"], stopped["statistics"]["errors"]) == (0, 0)
        assert stopped["summary"]["callId"] == call.uuid


def test_credentials_are_said_with_every_request_and_never_told(platform: Platform) -> None:
    with ApiServer() as server:
        for settings, expected in [
                ({"API_KEY": "top.secret"}, {"Authorization": "Bearer top.secret"}),
                ({"API_KEY": "top.secret", "API_KEY_HEADER": "X-API-Key", "HTTP_AUTH_USER": "u",
                  "HTTP_AUTH_PASSWORD": "top.secret"},
                 {"X-API-Key": "top.secret", "Authorization": "Basic dTp0b3Auc2VjcmV0"}),
                ({"EXTRA_HEADERS": '{"X-Own":"top.secret"}'}, {"X-Own": "top.secret"})]:
            server.asked.clear()
            call = platform.call(codec=WIDE, variables={f"MOD_AUDIO_STREAM_{name}": value
                                                        for name, value in settings.items()})
            platform.start(call, server.url + "?q=1", rate=16000)
            until(lambda: server.of("post") and server.of("poll"))
            platform.tell(call, "stop")
            platform.event("stream_stopped", call)
            for asked in server.asked:
                assert expected.items() <= asked.headers.items()
                assert asked.query["q"] == ["1"]
                assert asked.headers["Host"] == server.place
        assert not any("top.secret" in event.body for event in platform.switch.events)
        assert not any("top.secret" in line.text for line in platform.switch.log_lines)


def test_over_tls_and_ipv6(platform: Platform, tmp_path: Path) -> None:
    ca = certificates.make(tmp_path, "ca", ca=True, hosts=())
    good: Certificate = certificates.make(tmp_path, "good", issuer=ca)
    with ApiServer("::1", certificates.server_context(good)) as server:
        call = platform.call(codec=WIDE)
        platform.start(call, f"{{tls-ca-file={ca.file}}}" + server.url, rate=16000)
        spoken, answer = noise(16000), noise(3000, 2)
        call.say(spoken)
        server.say(answer)
        until(lambda: find(server.heard, spoken) >= 0 and find(call.heard(), answer) >= 0)
        platform.tell(call, "stop")
        assert platform.event("stream_stopped", call)["summary"]["callId"] == call.uuid


@pytest.mark.parametrize("words, text", [
    ("inbound 8000 0 1", "-ERR the protocol http carries 16000 Hz, and not 8000 Hz"),
    ("inbound mulaw 16000 0 1", "-ERR the protocol http carries linear samples of 16 bits, and not")])
def test_what_it_cannot_carry_is_refused(platform: Platform, words: str, text: str) -> None:
    call = platform.call(codec=WIDE)
    assert platform.run(f"{call.uuid} s start http://127.0.0.1:1/api/voice {words}").startswith(text)


def test_text_is_refused(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        assert "the protocol http has no text messages" in platform.run(f"{call.uuid} s send_text {{}}")


def test_a_stop_while_the_server_does_not_answer(platform: Platform) -> None:
    with ApiServer() as server:
        call = platform.call(codec=WIDE)
        platform.start(call, server.url, rate=16000)
        until(lambda: server.posts)
        server.wrong["end"].append(Wrong(cuts=True))
        platform.tell(call, "stop")
        stopped = platform.event("stream_stopped", call)
        assert stopped["reason"] == "requested"
        assert "summary" not in stopped
