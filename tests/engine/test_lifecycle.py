"""How streams end, come back, and leave nothing behind: commands, hangups, servers, unloading, shutdown."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from typing import Any

import numpy as np
import orjson
import pytest

from freeswitch_audio_stream import http_api as media_server
from freeswitch_audio_stream.errors import SwitchError
from freeswitch_audio_stream.module import AudioStreamModule
from freeswitch_audio_stream.realtime import core as core_module
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.services.agent.session import AgentSession
from freeswitch_audio_stream.simulator import EmbeddedSwitch, bugs
from freeswitch_audio_stream.switch import Session as SwitchSession
from freeswitch_audio_stream.switch import Switch
from freeswitch_audio_stream.switch.constants import CAUSE_SYSTEM_SHUTDOWN
from freeswitch_audio_stream.testing.peers.raw_websocket import CLOSE, RawServer, frame

from .harness import (MODULE, PATIENCE, Platform, audible, closed, find, has_heard, heard_all, noise, stream_threads,
                      until, wait_for_audio)

pytestmark = pytest.mark.slow

SPEECH = noise(80000)


# Reasons. That each stream stops once is seen to after every test, by `Platform.settle`.

@pytest.mark.parametrize("words, reason, detail", [
    ("stop", "requested", None), ("stop enough", "requested", "enough"),
    ("graceful-shutdown", "graceful", None), ("graceful-shutdown that is all", "graceful", "that is all")])
def test_on_request(platform: Platform, agent: Agent, words: str, reason: str, detail: str | None) -> None:
    call = platform.call(speech=SPEECH)
    session = platform.connect(agent, call)
    session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)
    platform.tell(call, words)
    stopped = platform.event("stream_stopped", call)
    assert (stopped["reason"], stopped.get("detail")) == (reason, detail)
    assert stopped["statistics"]["framesCaptured"] > 0
    closed(session)
    assert session.close_code == 1000 and session.messages[-1]["event"] == "stop"
    assert not call.destroyed.is_set()


def test_all_that_was_captured_before_a_stop_arrives(platform: Platform, agent: Agent) -> None:
    call = platform.call(speech=SPEECH)
    session = platform.connect(agent, call)
    session.wait_for(lambda session: session.sample_count() > 8000, PATIENCE)
    platform.tell(call, "stop")
    closed(session)
    captured = platform.event("stream_stopped", call)["statistics"]["msCaptured"]
    assert session.sample_count() == 8 * captured
    assert find(SPEECH, session.samples()) >= 0


@pytest.mark.parametrize("speed", [10, 1])
def test_a_hangup(platform: Platform, agent: Agent, speed: int) -> None:
    call = platform.call(speech=SPEECH, speed=speed)
    session = platform.connect(agent, call, track="both")
    session.wait_for(lambda session: session.sample_count() > 1000, PATIENCE)
    call.hangup()
    stopped = platform.event("stream_stopped", call)
    assert stopped["reason"] == "hangup"
    closed(session)
    assert session.sample_count("inbound") == session.sample_count("outbound")
    assert find(SPEECH, session.samples()) >= 0
    assert call.join(PATIENCE)


def test_a_hangup_while_connecting(platform: Platform, server: RawServer) -> None:
    call = platform.call(speech=SPEECH)
    platform.start(call, server.url)
    server.accept_silently()
    call.hangup()
    assert platform.event("stream_stopped", call)["reason"] == "hangup"
    assert platform.names(call) == ["stream_stopped"]
    assert call.join(PATIENCE)


def test_a_call_is_not_held_up_by_a_server_that_does_not_read(platform: Platform) -> None:
    """The call ends at once; the stream lets go of its server when that has had its time."""
    call = platform.call(speech=np.tile(SPEECH, 10), speed=40)
    with RawServer(receive_buffer=4096) as server:
        platform.start(call, server.url, rate=48000)
        server.accept()
        until(lambda: platform.status(call)["captureQueueMs"] > 500)
        call.hangup()
        assert call.join(PATIENCE)
        assert platform.event("stream_stopped", call)["reason"] == "hangup"
        assert platform.event("connection_closed", call)["code"] == 1006


def test_another_module_takes_our_bugs_away(platform: Platform, agent: Agent) -> None:
    call = platform.call(speech=SPEECH)
    session = platform.connect(agent, call)
    call.on_thread(lambda: bugs.close_all(call.pointer))
    stopped = platform.event("stream_stopped", call)
    assert stopped["reason"] == "error" and "another module" in stopped["detail"]
    closed(session)
    assert not call.destroyed.is_set()


def test_a_stop_overtakes_a_graceful_end(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=0.5)
    session = platform.connect(agent, call)
    session.send(play_message("s", SPEECH, 8000, "never reached"))
    until(lambda: call.heard().any())
    platform.tell(call, "graceful-shutdown")
    until(lambda: platform.status(call)["state"] == "draining")
    platform.tell(call, "graceful-shutdown")
    platform.tell(call, "pause")
    assert platform.run(f"{call.uuid} s send_text {{}}").startswith("-ERR the stream is draining")
    platform.tell(call, "stop")
    assert platform.event("stream_stopped", call)["reason"] == "graceful"
    closed(session)
    assert platform.event("media_play_complete", call)["status"] == "cleared"


def test_a_graceful_end_has_its_time(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=0.5)
    session = platform.connect(agent, call, "{graceful-secs=1}")
    session.send(play_message("s", SPEECH, 8000))
    until(lambda: call.heard().any())
    platform.tell(call, "graceful-shutdown")
    assert platform.event("stream_stopped", call)["reason"] == "graceful"
    closed(session)
    assert len(audible(call.heard())) < len(SPEECH)


@pytest.mark.parametrize("app", ["park", "playback"])
def test_a_graceful_end_plays_to_the_end(platform: Platform, agent: Agent, app: str) -> None:
    call = platform.call(app=app, speed=1, speech=SPEECH)
    session = platform.connect(agent, call)
    said = noise(4000, seed=5)
    session.send(play_message("s", said, 8000))
    until(lambda: find(call.heard(), said[:400]) >= 0)
    platform.tell(call, "graceful-shutdown")
    closed(session)
    assert np.array_equal(audible(call.heard()), said)
    assert session.sample_count() < len(said), "the stream went on listening"


# Reconnecting.

def test_a_connection_that_breaks_is_made_again(platform: Platform, server: RawServer) -> None:
    """The stream introduces itself again, its numbers go on, and what was said meanwhile is not lost."""
    call = platform.call(app="echo", speed=5)
    platform.start(call, server.url)
    first = server.accept()
    first.hear_until(lambda: first.session.sample_count() > 1000)
    first.reset()
    assert platform.event("connection_closed", call)["willReconnect"] is True
    call.say(SPEECH[:4000])
    until(call.has_spoken)
    second = server.accept()
    message = orjson.loads(second.hear()[1])
    assert message["event"] == "start" and message["sequence"] > 1
    second.hear_until(lambda: has_heard(second.session, SPEECH[:4000]))
    assert len(second.session.faults) == 1, "numbers go on where they were, and then have no gap"
    status = platform.status(call)
    assert (status["state"], status["reconnects"]) == ("streaming", 1)
    assert platform.names(call) == ["connection_established", "stream_started", "connection_closed",
                                    "connection_established"]


def test_a_stream_that_is_stopped_while_it_reconnects(platform: Platform) -> None:
    call = platform.call(speech=SPEECH)
    with RawServer() as server:
        platform.start(call, server.url)
        peer = server.accept()
        platform.event("stream_started", call)
        peer.reset()
    until(lambda: platform.status(call)["state"] == "reconnecting")
    platform.tell(call, "stop")
    assert platform.event("stream_stopped", call)["reason"] == "requested"


def test_reconnecting_ends_with_the_call(platform: Platform) -> None:
    call = platform.call(speech=SPEECH)
    with RawServer() as server:
        platform.start(call, server.url)
        peer = server.accept()
        platform.event("stream_started", call)
        peer.reset()
    until(lambda: platform.status(call)["reconnects"] >= 2)
    call.hangup()
    assert platform.event("stream_stopped", call)["reason"] == "hangup"
    assert call.join(PATIENCE)


def test_reconnecting_has_a_limit(platform: Platform) -> None:
    call = platform.call(speech=SPEECH)
    with RawServer() as server:
        platform.start(call, "{reconnect-max=2}" + server.url)
        peer = server.accept()
        platform.event("stream_started", call)
        peer.reset()
    stopped = platform.event("stream_stopped", call)
    assert stopped["reason"] == "error" and stopped["statistics"]["reconnects"] == 2
    assert platform.names(call)[-2:] == ["connection_failed", "stream_stopped"]


# Unloading, and the end of the switch.

def test_unloading_ends_every_stream_in_order(agent: Agent, server: RawServer) -> None:
    """stop, close 1001, threads joined; then the calls go on, and hang up cleanly."""
    before = stream_threads()
    platform = Platform()
    calls = [platform.call(speech=SPEECH, app=app) for app in ("park", "playback", "echo")]
    sessions = [platform.connect(agent, call, track="both") for call in calls]
    connecting = platform.call(speech=SPEECH)
    platform.start(connecting, server.url)
    sessions[0].send(play_message("s", SPEECH, 8000))
    assert platform.switch.unload(MODULE) == "+OK\n"
    for call, session in zip((*calls, connecting), sessions):
        closed(session)
        assert session.close_code == 1001
        assert session.messages[-1]["event"] == "stop"
        assert session.messages[-1]["reason"] == "module_shutdown"
    for call in (*calls, connecting):
        assert platform.event("stream_stopped", call)["reason"] == "shutdown"
        assert not call.destroyed.is_set()
    until(lambda: stream_threads() <= before)
    assert "did not end" not in str(platform.switch.log_lines)
    assert platform.switch.execute("uuid_audio_stream list") == "-ERR uuid_audio_stream Command not found!\n"
    assert platform.module.execute("list") == "[]"
    assert platform.module.execute(f"{calls[0].uuid} s start ws://h/ inbound 8000 5 1") == \
        "-ERR the module is being unloaded"
    assert platform.switch.event_system.owners == {}
    heard = len(calls[1].heard())
    until(lambda: len(calls[1].heard()) > heard + 1600)
    platform.close()


def test_reloading_leaves_nothing(agent: Agent) -> None:
    """Descriptors, threads, completions and the module itself: all that it was is gone, or is used again."""
    platform = Platform()
    looked: list[tuple[int, int, int, int]] = []
    for number in range(4):
        call = platform.call(speech=SPEECH, app="park")
        platform.connect(agent, call, track="both").send(play_message("s", SPEECH[:800], 8000))
        platform.call().dtmf("5")
        assert platform.switch.unload(MODULE) == "+OK\n"
        platform.event("stream_stopped", call)
        left = weakref.ref(platform.module)
        platform.switch.hang_up_all(PATIENCE)
        platform.module = AudioStreamModule(Switch(platform.switch.resolve), {})
        until(lambda: gc.collect() and left() is None)
        for session in agent.sessions:
            closed(session)
        until(lambda: not any(thread.name == "audio-stream-connect" for thread in stream_threads()))
        looked.append((len(os.listdir("/proc/self/fd")), len(stream_threads()), len(core_module._forever),
                       len(platform.switch.modules.completions)))
    assert len(set(looked[1:])) == 1, looked
    platform.close()


def test_all_is_there_when_the_switch_is_told_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """From then on it may be unloaded, and all of it ends: what is made later would be left."""
    registered: list[bool] = []
    switch = EmbeddedSwitch()
    start = media_server.start

    def starting(*arguments: Any) -> Any:
        registered.append(MODULE in switch.modules.loaded)
        return start(*arguments)
    monkeypatch.setattr(media_server, "start", starting)
    module = AudioStreamModule(Switch(switch.resolve), {})
    assert registered == [False] and len(switch.event_system.owners) > 10
    switch.modules.allowlist = set()
    module.unload()
    with pytest.raises(SwitchError, match="interface-allowlist"):
        AudioStreamModule(Switch(switch.resolve), {})
    assert switch.event_system.owners == {}
    assert [line.text for line in switch.log_lines if "failed" in line.text] == []
    switch.shutdown()


def test_warnings_are_remembered_for_a_while(platform: Platform) -> None:
    """Once for a value, however many calls have it; but not every value of every call for ever."""
    warned = platform.module._warned
    for number in [*range(1000), *range(990, 1000)]:
        platform.module._resolve(lambda name: str(100_000 + number) if "BUFFER_SECS" in name else None, {})
    assert len(warned) == 256
    told = [line.text for line in platform.switch.log_lines if "buffer-secs" in line.text]
    assert len(told) == len(set(told)) == 1000


def test_unloading_with_servers_that_do_not_answer() -> None:
    before = stream_threads()
    platform = Platform()
    with RawServer(receive_buffer=4096) as server:
        calls = [platform.call(speech=SPEECH, speed=20) for _ in range(5)]
        for call in calls:
            platform.start(call, server.url, rate=48000)
            server.accept()
        assert platform.switch.unload(MODULE) == "+OK\n"
        for call in calls:
            assert platform.event("stream_stopped", call)["reason"] == "shutdown"
    assert "did not end" not in str(platform.switch.log_lines)
    until(lambda: stream_threads() <= before)
    platform.close()


def test_a_module_can_be_loaded_again(agent: Agent) -> None:
    platform = Platform()
    call = platform.call(app="playback", speech=SPEECH)
    for number in range(3):
        session = platform.connect(agent, call)
        session.send(play_message("s", noise(1000, number), 8000))
        heard_all(session)
        assert platform.switch.unload(MODULE) == "+OK\n"
        assert platform.switch.unload(MODULE).startswith("-ERR")
        closed(session)
        platform.module = AudioStreamModule(Switch(platform.switch.resolve), {})
    wait_for_audio(platform.connect(agent, call, track="outbound"), np.zeros(100, np.int16), "outbound")
    platform.close()


def test_a_module_is_loaded_once_only(platform: Platform, agent: Agent) -> None:
    """A second one is refused, leaves nothing behind, and does not disturb the first."""
    threads, descriptors = stream_threads(), len(os.listdir("/proc/self/fd"))
    with pytest.raises(SwitchError, match="loaded already"):
        AudioStreamModule(Switch(platform.switch.resolve), {})
    until(lambda: stream_threads() <= threads)
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 16, "what a core keeps for ever"
    assert f"{MODULE}::stream_started" in platform.switch.event_system.owners
    call = platform.call(speech=SPEECH)
    session = platform.connect(agent, call)
    session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)


def test_unloading_waits_for_no_command_in_use(platform: Platform, agent: Agent) -> None:
    """A command that is being carried out keeps the module in; afterwards all is as it was."""
    call = platform.call(speech=SPEECH)
    inside, go_on = threading.Event(), threading.Event()
    locate = platform.module.registry.calls._locate

    def slow(uuid: str) -> object:
        inside.set()
        assert go_on.wait(PATIENCE)
        return locate(uuid)
    platform.module.registry.calls._locate = slow  # type: ignore[assignment]
    try:
        thread = threading.Thread(target=platform.start, args=(call, agent.url))
        thread.start()
        assert inside.wait(PATIENCE)
        assert "use" in platform.switch.unload(MODULE)
        go_on.set()
        thread.join()
    finally:
        platform.module.registry.calls._locate = locate
    agent.wait_for_session().wait_for(lambda session: session.sample_count() > 0, PATIENCE)


def test_a_start_that_races_with_the_end(agent: Agent) -> None:
    """Called beside the switch, a start may be half done when the module ends: it is let finish first."""
    platform = Platform()
    call = platform.call(speech=SPEECH)
    inside, go_on = threading.Event(), threading.Event()
    locate = platform.module.registry.calls._locate

    def slow(uuid: str) -> object:
        inside.set()
        assert go_on.wait(PATIENCE)
        return locate(uuid)
    platform.module.registry.calls._locate = slow  # type: ignore[assignment]
    answers: list[str] = []
    line = f"{call.uuid} s start {agent.url} inbound 8000 5 1"
    starter = threading.Thread(target=lambda: answers.append(platform.module.execute(line)))
    starter.start()
    assert inside.wait(PATIENCE)
    ender = threading.Thread(target=platform.switch.unload, args=(MODULE,))
    ender.start()
    until(lambda: not platform.module.registry.is_open)
    go_on.set()
    starter.join()
    ender.join()
    assert answers == ["+OK Success"]
    platform.started[call.uuid, "s"] += 1
    assert platform.event("stream_stopped", call)["reason"] == "shutdown"
    platform.close()


@pytest.mark.parametrize("number", [501, 701], ids=["up to 1.10.7", "from 1.10.8 on"])
def test_a_shutdown_is_told_from_a_hangup_in_every_release(agent: Agent, number: int) -> None:
    platform = Platform()
    platform.switch.causes[CAUSE_SYSTEM_SHUTDOWN] = number
    for cause, reason in ((CAUSE_SYSTEM_SHUTDOWN, "shutdown"), (b"NORMAL_CLEARING", "hangup")):
        call = platform.call()
        platform.connect(agent, call)
        call.hangup(cause)
        assert platform.event("stream_stopped", call)["reason"] == reason
    platform.close()


def test_the_switch_ends_with_live_streams(agent: Agent) -> None:
    before = stream_threads()
    platform = Platform()
    calls = [platform.call(speech=SPEECH, app=app, speed=1) for app in ("park", "playback", "echo") * 3]
    sessions = [platform.connect(agent, call, track="both") for call in calls]
    for session in sessions:
        session.send(play_message("s", SPEECH, 8000))
    platform.switch.shutdown()
    assert all(call.destroyed.is_set() for call in calls)
    assert platform.switch.misuses == 0
    for call, session in zip(calls, sessions):
        closed(session)
        stopped = platform.events("stream_stopped", call)
        assert [event["reason"] for event in stopped] == [ended_as(session)]
    assert platform.switch.event_system.held == 0 and platform.switch.codecs.open == 0
    until(lambda: stream_threads() <= before)


def ended_as(session: AgentSession) -> str:
    """A call whose hangup came first ends for that; both ways the server is told."""
    assert session.messages[-1]["event"] == "stop"
    reasons = {"hangup": ("hangup", 1000), "module_shutdown": ("shutdown", 1001)}
    reason, code = reasons[session.messages[-1]["reason"]]
    assert session.close_code == code
    return reason


# Many at once.

def test_streams_come_and_go(platform: Platform, agent: Agent) -> None:
    """Two hundred, on ten calls, in turn: nothing of any is left."""
    calls = [platform.call(speech=np.tile(SPEECH, 10), app=app) for app in ("park", "echo") * 5]
    for round_number in range(20):
        first = len(agent.sessions)
        for call in calls:
            platform.start(call, agent.url, track="both")
        agent.wait_for_session(first + len(calls))
        for session in agent.sessions[first:]:
            session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)
        for number, call in enumerate(calls):
            platform.tell(call, ("stop", "graceful-shutdown")[number % 2])
        for session in agent.sessions[first:]:
            closed(session)
        until(lambda: platform.run("list") == "[]")


def test_a_closing_handshake_that_is_cut_short(platform: Platform, server: RawServer) -> None:
    """The server's last word, and what it adds after it, in one packet."""
    call = platform.call(speech=SPEECH)
    platform.start(call, server.url)
    peer = server.accept()
    platform.event("stream_started", call)
    platform.tell(call, "stop")
    peer.hear_close()
    peer.send(frame(CLOSE, b"\x03\xe8") + b"\xff" * 1000)
    peer.sock.close()
    assert platform.event("stream_stopped", call)["reason"] == "requested"
    assert platform.events("stream_error", call) == []


# A switch that does not do what is asked of it.

def test_a_switch_that_takes_no_events(platform: Platform, agent: Agent,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs out of memory, or is on its way down: the stream works and ends all the same."""
    def refuse(*arguments: object) -> None:
        raise SwitchError("the switch dropped an event")
    monkeypatch.setattr(platform.module._switch, "fire", refuse)
    monkeypatch.setattr(SwitchSession, "snapshot", refuse)
    call = platform.call(speech=SPEECH)
    session = platform.connect(agent, call)
    session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)
    call.hangup()
    closed(session)
    assert call.join(PATIENCE)
    until(lambda: platform.run("list") == "[]")
    assert any("dropped an event" in line.text for line in platform.switch.log_lines)
    platform.started.clear()


def test_a_switch_that_has_no_codec_for_us(platform: Platform, agent: Agent,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """A parked leg then stays silent, which is told once; when somebody else writes, it is heard."""
    def refuse(*arguments: object) -> None:
        raise SwitchError("no such codec")
    monkeypatch.setattr(SwitchSession, "open_l16_codec", refuse)
    call = platform.call()
    session = platform.connect(agent, call)
    session.send(play_message("s", SPEECH[:4000], 8000, "end"))
    before = session.sample_count()
    session.wait_for(lambda session: session.sample_count() > before + 8000, PATIENCE)
    assert len(call.heard()) == 0
    call.run_app("playback")
    heard_all(session)
    assert find(call.heard(), SPEECH[:4000]) >= 0
    told = [line for line in platform.switch.log_lines if "another writer" in line.text]
    assert [line.uuid for line in told] == [call.uuid]


def test_a_bug_that_is_refused(platform: Platform, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of three: the answer says why, and the two before are taken back."""
    add_bug = SwitchSession.add_bug
    added: list[int] = []

    def refuse_the_third(session: SwitchSession, *arguments: Any) -> int:
        if len(added) == 2:
            raise SwitchError("the switch refused a media bug")
        added.append(add_bug(session, *arguments))
        return added[-1]
    monkeypatch.setattr(SwitchSession, "add_bug", refuse_the_third)
    call = platform.call(app="playback")
    line = f"{call.uuid} s start {agent.url} both 8000 5 1"
    assert platform.run(line) == "-ERR the switch refused a media bug"
    until(lambda: platform.run("list") == "[]")
    assert len(added) == 2 and call.session.bugs == 0
    monkeypatch.undo()
    platform.connect(agent, call, track="both")
