"""What every command answers: to an API client, and to a dialplan."""

from __future__ import annotations

import socket
import threading

import orjson
import pytest

from freeswitch_audio_stream.commands import USAGE
from freeswitch_audio_stream.errors import CoreFull
from freeswitch_audio_stream.module import API_NAME, RESULT_VARIABLE
from freeswitch_audio_stream.realtime.core import Core
from freeswitch_audio_stream.services.agent.server import Agent
from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedCall
from freeswitch_audio_stream.testing.peers.raw_websocket import RawServer

from .harness import PATIENCE, Platform, closed, noise, until

START = "inbound 8000 5 1"
URL = "ws://127.0.0.1:9/"
BLACK_HOLE = "ws://127.255.255.254:9/"
"""On a network of this machine, and nobody's address."""


@pytest.fixture(params=["command", "application"])
def way(request: pytest.FixtureRequest) -> str:
    """How a command comes: from a console, or from the dialplan of the call itself."""
    return str(request.param)


def answer(platform: Platform, call: EmbeddedCall, way: str, words: str) -> str:
    """The answer to ``<uuid> s`` `words`, by either way."""
    line = f"{call.uuid} s {words}"
    if way == "command":
        return platform.run(line)
    assert call.application(API_NAME, line)
    result = call.variables[RESULT_VARIABLE]
    if words.startswith("start") and result.startswith("+OK"):
        platform.started[call.uuid, "s"] += 1
    return result


REFUSED = {
    "a scheme of others": ("start ftp://h/ inbound 8000 5 1", "bad URL", "use ws:// or wss://"),
    "no host": ("start ws:///path inbound 8000 5 1", "bad URL", "no host"),
    "a host that is none": ("start ws://a..b/ inbound 8000 5 1", "bad URL", "host"),
    "a port that is none": ("start ws://h:0/ inbound 8000 5 1", "bad URL", "1 to 65535"),
    "a port that is too high": ("start ws://h:65536/ inbound 8000 5 1", "bad URL", "1 to 65535"),
    "an address that is none": ("start ws://[::z]/ inbound 8000 5 1", "bad URL", "IPv6"),
    "a fragment": ("start ws://h/#part inbound 8000 5 1", "bad URL", "fragment"),
    "a track": (f"start {URL} left 8000 5 1", "bad track 'left'", "inbound, outbound or both"),
    "a rate": (f"start {URL} inbound 8001 5 1", "bad rate '8001'", "8000, 16000, 24000, 32000, 44100, 48000"),
    "a codec": (f"start {URL} inbound opus 8000 5 1", "bad rate 'opus'", "l16 or mulaw"),
    "a timeout": (f"start {URL} inbound 8000 -1 1", "bad timeout '-1'", "whole seconds"),
    "a flag": (f"start {URL} inbound 8000 5 yes", "bad bidirectional flag 'yes'", "use 1"),
    "metadata": (f"start {URL} inbound 8000 5 1 {{a", "metadata '{a' is not JSON", "leave it out"),
    "a long URL": (f"start {URL}{'x' * 9000} {START}", "the URL is", "8192 at most"),
    "much metadata": (f"start {URL} {START} \"{'x' * 1_200_000}\"", "the metadata is 1200002 bytes", "send_text"),
    "a long value": (f"start {{subprotocol-name={'x' * 20_000}}}{URL} {START}", "longer than 16384 characters",
                     "letters"),
    "a protocol": (f"start {{protocol=morse}}{URL} {START}", "protocol = 'morse'", "json"),
    "a setting": (f"start {{speed=9}}{URL} {START}", "'speed', which is no setting", "buffer-secs"),
    "a setting for all": (f"start {{max-streams=9}}{URL} {START}", "max-streams", "the same for all streams"),
    "a value": (f"start {{buffer-secs=long}}{URL} {START}", "buffer-secs = 'long'", "from 1 to 40"),
    "a prefix that is open": (f"start {{buffer-secs=9{URL} {START}", "prefix is not closed", "name=value"),
    "a stream that is not there": ("stop", "no stream 's'", "this call has no stream"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_refused_with_a_remedy(platform: Platform, way: str, case: str) -> None:
    call = platform.call()
    words, what, remedy = REFUSED[case]
    reply = answer(platform, call, way, words)
    assert reply.startswith("-ERR ") and what in reply and remedy in reply
    assert "\n" not in reply
    assert platform.run("list") == "[]"


USAGES = {
    "an action that is none": "strat", "no URL": "start", "no track": f"start {URL}",
    "no rate": f"start {URL} inbound", "no timeout": f"start {URL} inbound 8000",
    "no flag": f"start {URL} inbound 8000 5", "no text": "send_text",
}


@pytest.mark.parametrize("case", USAGES)
def test_missing_words_are_answered_with_the_syntax(platform: Platform, way: str, case: str) -> None:
    call = platform.call()
    reply = answer(platform, call, way, USAGES[case])
    assert reply.startswith("-USAGE: uuid_audio_stream <uuid> <stream_id> ") and "\n" not in reply
    assert platform.run("list") == "[]"


@pytest.mark.parametrize("words", ["", "one", "one two three"])
def test_the_whole_syntax(platform: Platform, words: str) -> None:
    assert platform.run(words).startswith(f"-USAGE: {USAGE} (")


@pytest.mark.parametrize("words", [f"start {URL} {START}", "stop", "pause", "resume", "graceful-shutdown",
                                   "send_text {}", "status"])
def test_a_call_that_is_not_there(platform: Platform, words: str) -> None:
    reply = platform.run(f"nobody s {words}")
    assert reply.startswith("-ERR no ") and "'nobody'" in reply


def test_a_call_that_has_hung_up(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    call.hangup()
    assert "no such call" in answer(platform, call, "command", f"start {agent.url} {START}")


def test_a_call_without_media(platform: Platform, way: str) -> None:
    call = platform.call()
    call.bypass()
    reply = answer(platform, call, way, f"start {URL} {START}")
    assert reply.startswith("-ERR the call has no media: answer or pre_answer it first")


def test_a_call_that_is_not_answered_gets_early_media(platform: Platform, agent: Agent, way: str) -> None:
    call = platform.call(answered=False)
    assert answer(platform, call, way, f"start {agent.url} {START}") == "+OK Success"
    agent.wait_for_session().wait_for(lambda session: session.sample_count() > 0, PATIENCE)


def test_a_stream_id_in_use(platform: Platform, agent: Agent, way: str) -> None:
    call, other = platform.call(), platform.call()
    assert answer(platform, call, way, f"start {agent.url} {START}") == "+OK Success"
    reply = answer(platform, call, way, f"start {agent.url} {START}")
    assert reply.startswith("-ERR stream id 's' is in use on this call") and "another id" in reply
    assert answer(platform, other, way, f"start {agent.url} {START}") == "+OK Success"


def test_a_second_stream_without_a_stream_id(platform: Platform, agent: Agent, server: RawServer) -> None:
    """There is no other id to choose in that grammar."""
    call = platform.call()
    assert platform.run(f"{call.uuid} start {server.url} mono 8k").startswith("+OK")
    reply = platform.run(f"{call.uuid} start {server.url} mono 8k")
    assert reply.startswith("-ERR a stream without a stream id runs on this call already") and "another id" not in reply
    assert platform.run(f"{call.uuid} second start {agent.url} {START}") == "+OK Success"


def test_a_stream_id_unknown_names_those_that_are(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    for stream_id in ("b", "a"):
        platform.start(call, agent.url, stream_id=stream_id)
    for words in ("stop", "pause", "resume", "graceful-shutdown", "send_text {}", "status"):
        assert platform.run(f"{call.uuid} c {words}").endswith(f"no stream 'c' on call '{call.uuid}': "
                                                               "this call has: a, b")


def test_text_on_a_one_way_stream(platform: Platform, agent: Agent, way: str) -> None:
    call = platform.call()
    platform.connect(agent, call, bidirectional=0)
    assert answer(platform, call, way, "send_text {}") == \
        "-ERR the stream is one-way: start it with 1 as its last flag to exchange text"


def test_text_before_there_is_a_connection_waits_behind_the_start(platform: Platform, server: RawServer,
                                                                  way: str) -> None:
    call = platform.call(speech=noise(8000))
    platform.start(call, server.url)
    for number in range(3):
        assert answer(platform, call, way, f'send_text {{"number":{number}}}') == "+OK Success"
    peer = server.accept()
    peer.hear_until(lambda: peer.session.sample_count() > 0)
    start, *texts = peer.session.messages[:4]
    assert start["event"] == "start" and texts == [{"number": 0}, {"number": 1}, {"number": 2}]
    platform.event("stream_started", call)
    platform.tell(call, 'send_text {"event":"last"}')
    peer.hear_message("last")
    assert peer.session.messages.count({"number": 0}) == 1


def test_text_that_waits_for_a_connection_that_cannot_be_made_is_told(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, server.url)
    for _ in range(2):
        platform.tell(call, "send_text {}")
    server.accept_silently().close()
    error = platform.event("stream_error", call)
    assert (error["kind"], error["total"]) == ("text_not_sent", 2) and "2 texts" in error["error"]
    platform.event("stream_stopped", call)
    assert platform.names(call) == ["connection_failed", "stream_error", "stream_stopped"]


def test_text_that_waits_is_limited(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, server.url)
    text = f'{{"words":"{"x" * 50_000}"}}'
    replies = [platform.run(f"{call.uuid} s send_text {text}") for _ in range(12)]
    taken = replies.count("+OK Success")
    assert 0 < taken < 12 and replies[-1].startswith("-ERR the stream is connecting, and ")
    assert replies == ["+OK Success"] * taken + replies[taken:]
    peer = server.accept()
    peer.hear_until(lambda: len(peer.session.messages) == 1 + taken)
    platform.event("stream_started", call)
    platform.tell(call, "send_text {}")


def test_text_while_connecting_needs_a_two_way_stream_too(platform: Platform, server: RawServer, way: str) -> None:
    call = platform.call()
    platform.start(call, server.url, bidirectional=0)
    assert answer(platform, call, way, "send_text {}").startswith("-ERR the stream is one-way")


def test_text_to_a_server_that_does_not_read(platform: Platform, server: RawServer) -> None:
    call = platform.call()
    platform.start(call, server.url)
    server.accept()
    platform.event("stream_started", call)
    replies = []
    text = "x" * 100_000

    def is_refused() -> bool:
        replies.append(platform.run(f"{call.uuid} s send_text {text}"))
        return not replies[-1].startswith("+OK")
    until(is_refused)
    assert replies[-1].startswith("-ERR the server does not read: ") and "wait already" in replies[-1]
    assert platform.status(call)["state"] == "streaming"


@pytest.mark.parametrize("words, message", [
    ('{"a": 1}', '{"a": 1}'), ("'{\"a\": 1}'", '{"a": 1}'), ('"{\\"a\\": \\"b c\\"}"', '{"a": "b c"}'),
    ("{\"it's\": \"ü 😀\"}", "{\"it's\": \"ü 😀\"}"), ("[1]", "[1]")])
def test_text_arrives_as_it_was_meant(platform: Platform, words: str, message: str) -> None:
    with Agent() as agent:
        call = platform.call()
        session = platform.connect(agent, call)
        platform.tell(call, f"send_text {words}")
        if message.startswith("["):
            session.wait_for(lambda session: session.faults, PATIENCE)  # a list is no message of the API
        else:
            session.wait_for(lambda session: orjson.loads(message) in session.messages, PATIENCE)


@pytest.mark.parametrize("words, metadata", [
    ("", {}), ('{"a":"b c"}', {"a": "b c"}), ("'{\"a\":\"b c\"}'", {"a": "b c"}), ("[1, 2]", [1, 2]),
    ("7", 7), ('"a b"', "a b"), ("{\"it's\": \"ü 😀\"}", {"it's": "ü 😀"})])
def test_metadata_arrives_as_it_was_meant(platform: Platform, agent: Agent, way: str, words: str,
                                          metadata: object) -> None:
    call = platform.call()
    assert answer(platform, call, way, f"start {agent.url} {START} {words}") == "+OK Success"
    session = agent.wait_for_session()
    session.wait_for(lambda session: session.start, PATIENCE)
    assert session.start["metadata"] == metadata


# Nothing waits for the network.

@pytest.mark.parametrize("prefix", ["", "{protocol=binary}"])
def test_start_does_not_wait_for_a_server_that_never_answers(platform: Platform, server: RawServer, way: str,
                                                             prefix: str) -> None:
    call = platform.call()
    assert answer(platform, call, way, f"start {prefix}{server.url} inbound 8000 0 1") == "+OK Success"
    assert platform.status(call)["state"] == "connecting"
    assert platform.names(call) == []
    assert answer(platform, call, way, "stop") == "+OK Success"
    assert platform.event("stream_stopped", call)["reason"] == "requested"


def test_start_does_not_wait_for_a_connection(platform: Platform, way: str) -> None:
    """Nor does anything else, be the handshake with nobody, or the queue of the listener full."""
    call = platform.call()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for number, client in enumerate(waiting):
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        assert answer(platform, call, way, f"start ws://127.0.0.1:{port}/ inbound 8000 0 1") == "+OK Success"
        assert platform.status(call)["state"] == "connecting"
        assert answer(platform, call, way, "stop") == "+OK Success"
        platform.event("stream_stopped", call)
        for client in waiting:
            client.close()


def test_start_does_not_wait_for_a_refusal(platform: Platform, way: str) -> None:
    call = platform.call()
    assert answer(platform, call, way, f"start {BLACK_HOLE} {START}") == "+OK Success"
    assert "127.255.255.254:9" in platform.event("connection_failed", call)["error"]


def test_start_does_not_wait_for_a_name(platform: Platform, way: str) -> None:
    call = platform.call()
    assert answer(platform, call, way, f"start ws://no-such-host.invalid/ {START}") == "+OK Success"
    platform.event("stream_stopped", call, reason="error")


# Short and long forms, status.

@pytest.mark.parametrize("words, codec, rate", [
    ("inbound 8k", "L16", 8000), ("outbound 16k", "L16", 16000), ("both 44.1k", "L16", 44100),
    ("INBOUND l16 24000", "L16", 24000), ("both mulaw 8k", "MULAW", 8000),
    ("inbound ulaw 16000", "MULAW", 16000)])
def test_forms_that_deployed_dialplans_use(platform: Platform, agent: Agent, way: str, words: str, codec: str,
                                           rate: int) -> None:
    call = platform.call()
    assert answer(platform, call, way, f"start {agent.url} {words} 5 1") == "+OK Success"
    session = agent.wait_for_session()
    session.wait_for(lambda session: session.start, PATIENCE)
    assert (session.start["codec"], session.start["rate"]) == (codec, rate)
    assert session.start["track"] == words.split()[0].lower()


@pytest.mark.parametrize("authority", ["127.0.0.1:{}", "user:pass@127.0.0.1:{}", "localhost:{}"])
def test_hosts_and_credentials(platform: Platform, agent: Agent, authority: str) -> None:
    call = platform.call()
    url = f"ws://{authority.format(agent.port)}/a/path?query=1"
    platform.start(call, url)
    session = agent.wait_for_session()
    assert session.path == "/a/path?query=1"
    told = platform.event("stream_started", call)["serverUrl"]
    assert "pass" not in told and told.endswith("/a/path?query=1")


def test_an_ipv6_address(platform: Platform) -> None:
    call = platform.call()
    with Agent(host="::1") as agent:
        platform.start(call, agent.url)
        agent.wait_for_session()


def test_list_and_status(platform: Platform, agent: Agent, way: str) -> None:
    calls = [platform.call(), platform.call()]
    for call in calls:
        session = platform.connect(agent, call, rate=16000, track="both")
        session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)
    listed = orjson.loads(platform.run("list"))
    assert {entry["uuid"] for entry in listed} == {call.uuid for call in calls}
    status = orjson.loads(answer(platform, calls[0], way, "status"))
    assert status.keys() == listed[0].keys()
    assert (status["uuid"], status["streamId"], status["state"]) == (calls[0].uuid, "s", "streaming")
    assert (status["track"], status["codec"], status["sampleRate"]) == ("both", "L16", 16000)
    assert status["framesCaptured"] > 0 and status["bytesSent"] > 0 and status["messagesSent"] > 0
    assert status["seconds"] > 0 and status["lastError"] is None
    for name in ("framesDropped", "playbackQueueMs", "reconnects", "errors", "bytesReceived"):
        assert status[name] == 0


def test_a_command_of_a_call(platform: Platform, agent: Agent) -> None:
    """``${uuid_audio_stream(…)}`` in a dialplan."""
    call = platform.call()
    assert call.command(API_NAME, f"{call.uuid} s start {agent.url} {START}") == "+OK Success"
    platform.started[call.uuid, "s"] += 1
    assert call.command(API_NAME, "nonsense") == platform.run("nonsense")


# After the end.

def test_an_id_is_free_after_a_stop(platform: Platform, agent: Agent, way: str) -> None:
    call = platform.call()
    for number in range(1, 4):
        assert answer(platform, call, way, f"start {agent.url} {START}") == "+OK Success"
        session = agent.wait_for_session(number)
        assert answer(platform, call, way, "stop") == "+OK Success"
        assert answer(platform, call, way, "stop").startswith("-ERR no stream 's'")
        closed(session)


def test_streams_at_once_have_a_limit(agent: Agent) -> None:
    platform = Platform({"MOD_AUDIO_STREAM_MAX_STREAMS": "2"})
    call = platform.call()
    for stream_id in "ab":
        platform.start(call, agent.url, stream_id=stream_id)
    reply = platform.run(f"{call.uuid} c start {agent.url} {START}")
    assert reply.startswith("-ERR 2 streams run already: raise max-streams")
    platform.tell(call, "stop", stream_id="a")
    until(lambda: len(orjson.loads(platform.run("list"))) == 1)
    platform.start(call, agent.url, stream_id="c")
    platform.close()


@pytest.mark.parametrize("opening, prefix", [("open_path", ""), ("open_source", "{resampler=soxr}")])
def test_a_full_core_refuses_and_keeps_nothing(platform: Platform, agent: Agent, monkeypatch: pytest.MonkeyPatch,
                                               opening: str, prefix: str) -> None:
    def full(*_: object) -> None:
        raise CoreFull("as if all records were in use")
    call = platform.call(codec=CodecSpec("L16", 16000))
    free = len(platform.module.registry._core._indices)
    with monkeypatch.context() as patch:
        patch.setattr(Core, opening, full)
        assert platform.run(f"{call.uuid} s start {prefix}{agent.url} {START}") == \
            "-ERR no more streams fit into this process"
    assert len(platform.module.registry._core._indices) == free
    platform.connect(agent, call, prefix)


def test_simultaneous_starts_do_not_exceed_the_limit(agent: Agent) -> None:
    """A start under way counts: none of them is far enough to be a stream when the others are looked at."""
    platform = Platform({"MOD_AUDIO_STREAM_MAX_STREAMS": "5"})
    calls = [platform.call() for _ in range(40)]
    locate, answers = platform.module.registry.calls._locate, list[str]()

    def slow(uuid: str) -> object:
        until(lambda: len(answers) >= 35)  # all that are to be refused have been
        return locate(uuid)
    platform.module.registry.calls._locate = slow  # type: ignore[assignment]
    threads = [threading.Thread(target=lambda call=call: answers.append(platform.run(  # type: ignore[misc]
        f"{call.uuid} s start {agent.url} {START}"))) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("+OK Success") == 5
    assert sum(answer.startswith("-ERR 5 streams run already: raise max-streams") for answer in answers) == 35
    platform.module.registry.calls._locate = locate
    platform.close()


def test_a_start_that_fails_gives_its_place_back(agent: Agent) -> None:
    platform = Platform({"MOD_AUDIO_STREAM_MAX_STREAMS": "1"})
    call = platform.call()
    for _ in range(3):
        assert platform.run(f"no-such-call s start {agent.url} {START}").startswith("-ERR no such call")
        assert platform.run(f"{call.uuid} s start {{protocol=morse}}{agent.url} {START}").startswith("-ERR")
    platform.start(call, agent.url)
    platform.close()


def test_two_stops_at_once_do_not_free_the_id_of_the_next_stream(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    platform.connect(agent, call)
    table = platform.module.registry._table
    first = table.find(call.uuid, "s")
    platform.tell(call, "stop")
    platform.connect(agent, call)
    table.free_id(first)  # the other `stop`, which had found the first stream before
    assert platform.status(call)["state"] == "streaming"


def test_a_stream_that_could_not_introduce_itself_does_not_start(platform: Platform, agent: Agent) -> None:
    """Channel variables go into the first message, and have no limit of their own."""
    call = platform.call(variables={"stream_account_id": "x" * 100_000})
    metadata = orjson.dumps("y" * 499_000).decode()
    reply = platform.run(f"{call.uuid} s start {agent.url} {START} {metadata}")
    assert reply.startswith("-ERR the stream cannot introduce itself: its first message would be 599")
    assert "of 524272 at most" in reply and "stream_account_id" in reply
    platform.start(call, agent.url, metadata=orjson.dumps("y" * 400_000).decode())
    session = agent.wait_for_session()
    session.wait_for(lambda session: session.start, PATIENCE)
    assert session.start and len(session.start["metadata"]) == 400_000


def test_the_longest_text_reaches_the_server(platform: Platform, agent: Agent) -> None:
    call = platform.call()
    session = platform.connect(agent, call)
    text = orjson.dumps({"text": "z" * 999_989}).decode()
    assert len(text) == 1_000_000
    platform.tell(call, f"send_text {text}")
    session.wait_for(lambda session: orjson.loads(text) in session.messages, PATIENCE)
    reply = platform.run(f"{call.uuid} s send_text {'z' * 2_000_000}")
    assert reply.startswith("-ERR the text is 2000000 bytes long, of 1000000 at most: ")
