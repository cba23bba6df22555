"""Runs of speech without checkpoints: one begin and one end each, on a clock that the test turns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, cast

import pytest

from freeswitch_audio_stream.engine.conversation.playback import talk_spurts
from freeswitch_audio_stream.engine.conversation.playback.talk_spurts import QUIET_SECONDS, TalkSpurts
from freeswitch_audio_stream.engine.dispatch.dispatcher import Dispatcher
from freeswitch_audio_stream.engine.dispatch.schedule import Schedule, Timer
from freeswitch_audio_stream.engine.dispatch.timers import Timers
from freeswitch_audio_stream.engine.events import overrun_report
from freeswitch_audio_stream.engine.events.reports import Reporter
from freeswitch_audio_stream.engine.stream.end import StreamEnd
from freeswitch_audio_stream.realtime.counters import Statistics
from freeswitch_audio_stream.realtime.path import MediaPath
from freeswitch_audio_stream.realtime.records import ATTEND_OVERRUN, ATTEND_PLAYBACK_IDLE, ATTEND_PLAYBACK_STARTED
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.services.agent.session import AgentSession
from freeswitch_audio_stream.simulator import EmbeddedCall

from .harness import Platform, audible, checkpoint, heard_all, noise, until

FRAME = 160
BEGIN = ("media_play_start", {"format": "binary"})
END = ("media_play_complete", {"status": "played"})


class Desk:
    """A player's talk spurts, with a queue, a clock and an ear for events that are the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.queued = self.heard = 0
        self.counted_late = 0
        """Samples that a look at the counters finds played, but still in the queue as well."""
        self._schedule = Schedule()
        self.alike = SimpleNamespace(taken=0)
        self.spurts = TalkSpurts(cast(MediaPath, self), cast(Reporter, self), Timers(cast(Dispatcher, self)))

    # What the spurts ask of the media path, of the reporter and of the dispatcher.

    def statistics(self) -> Statistics:
        return Statistics(*[0] * len(Statistics._fields))._replace(
            played=self.heard, queued=self.queued, play_waiting=self.queued - self.heard + self.counted_late)

    @property
    def has_been_heard(self) -> bool:
        return self.heard == self.queued

    def fire(self, name: str, **fields: Any) -> None:
        self.told.append((name, fields))

    def call_later(self, seconds: float, job: Callable[[], None]) -> Timer:
        return self._schedule.add(self.now + seconds, job)

    # What happens.

    def later(self, seconds: float) -> None:
        self.now += seconds
        for timer in self._schedule.take_due(self.now):
            timer.run()

    def play_frame(self) -> None:
        """A binary frame comes and is heard at once."""
        self.queued += FRAME
        self.spurts.notice_frames()
        self.heard = self.queued
        self.spurts.quiet()


def test_a_sender_slower_than_real_time_is_one() -> None:
    desk = Desk()
    for _ in range(1000):
        desk.play_frame()
        desk.later(0.199)
    assert desk.told == [BEGIN]
    desk.later(0.002)
    assert desk.told == [BEGIN, END]
    desk.later(10)
    assert desk.told == [BEGIN, END]


def test_a_longer_pause_parts_two() -> None:
    desk = Desk()
    for _ in range(2):
        desk.play_frame()
        desk.later(QUIET_SECONDS + 0.001)
    assert desk.told == [BEGIN, END] * 2


def test_it_goes_on_while_something_waits() -> None:
    """What has come, and is not yet heard, keeps it open however long that takes."""
    desk = Desk()
    desk.play_frame()
    desk.queued += FRAME
    desk.later(10)
    assert desk.told == [BEGIN]
    desk.heard = desk.queued
    desk.spurts.quiet()
    desk.later(1)
    assert desk.told == [BEGIN, END]


def test_what_was_announced_is_no_frame() -> None:
    """The counters are read one after the other while the caller hears on; that makes no audio that never came."""
    desk = Desk()
    for _ in range(10):
        desk.queued += FRAME
        desk.spurts.announce(FRAME)
        desk.heard, desk.counted_late = desk.queued, FRAME
        desk.spurts.notice_frames()
        desk.spurts.quiet()
        desk.later(1)
    assert desk.told == []


def test_what_was_cleared_begins_nothing() -> None:
    desk = Desk()
    desk.queued += FRAME
    desk.spurts.cleared(FRAME)
    desk.heard = desk.queued
    desk.spurts.notice_frames()
    desk.spurts.quiet()
    assert desk.told == []
    desk.play_frame()
    assert desk.told == [BEGIN]


# On a call, where quiet alone never ends one.

@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk_spurts, "QUIET_SECONDS", 3600.0)


def send_slowly(session: AgentSession, call: EmbeddedCall, pieces: int, seed: int = 1) -> None:
    """Binary frames, each when the caller has heard the one before and then silence."""
    for _ in range(pieces):
        heard = len(audible(call.heard()))
        session.send(noise(FRAME, seed).tobytes())
        until(lambda: len(audible(call.heard())) == heard + FRAME)
        length = len(call.heard())
        until(lambda: len(call.heard()) > length + 2 * FRAME)


def told(platform: Platform, call: EmbeddedCall) -> list[tuple[str, Any]]:
    """Begins and ends so far: the former with `format`, the latter with `status`."""
    bodies = {name: iter(platform.events(name, call)) for name in ("media_play_start", "media_play_complete")}
    return [(name, (body := next(bodies[name])).get("format", body.get("status"))) for name in platform.names(call)
            if name in bodies]


PAIR = [("media_play_start", "binary"), ("media_play_complete", "played")]


@pytest.mark.parametrize("how", ["clear_play", "pause_play", "stop", "graceful-shutdown"])
def test_where_no_more_can_come_it_ends_at_once(platform: Platform, agent: Agent, patience: None, how: str) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    send_slowly(session, call, 5)
    assert told(platform, call) == PAIR[:1]
    platform.tell(call, how)
    until(lambda: told(platform, call) == PAIR)
    if how not in ("clear_play", "pause_play"):
        platform.event("stream_stopped", call)
        assert told(platform, call) == PAIR


@pytest.mark.parametrize("how", ["clear_play", "stop", "hangup"])
def test_what_is_thrown_away_is_told_at_once(platform: Platform, agent: Agent, patience: None, how: str) -> None:
    call = platform.call(app="playback", speed=0.5)
    session = platform.connect(agent, call)
    session.send(noise(80000).tobytes())
    until(lambda: call.heard().any())
    if how == "hangup":
        call.hangup()
    else:
        platform.tell(call, how)
    until(lambda: told(platform, call) == [PAIR[0], ("media_play_complete", "cleared")])


def test_what_is_held_back_is_not_over(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=1)
    session = platform.connect(agent, call)
    session.send(noise(4000).tobytes())
    until(lambda: call.heard().any())
    platform.tell(call, "pause_play")
    until(lambda: not call.heard()[-1600:].any())
    assert told(platform, call) == PAIR[:1]
    platform.tell(call, "resume_play")
    until(lambda: told(platform, call) == PAIR)
    assert len(audible(call.heard())) == 4000


def test_checkpoints_are_not_late(platform: Platform, agent: Agent, patience: None) -> None:
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    for number in range(5):
        send_slowly(session, call, 1)
        session.send(checkpoint(f"{number}"))
        platform.event("media_play_complete", call, checkpoint=f"{number}")
    assert platform.names(call).count("media_play_start") == 1


def test_frames_behind_a_message_are_told_when_they_begin(platform: Platform, agent: Agent, patience: None) -> None:
    call = platform.call(app="playback", speed=1)
    session = platform.connect(agent, call)
    session.send(play_message("s", noise(4000), 8000, "named"))
    until(lambda: call.heard().any())
    session.send({"event": "unknown"})
    platform.event("stream_error", call)  # so the stream has also heard that the message began to play
    session.send(noise(8000).tobytes())
    until(lambda: told(platform, call) == [("media_play_start", None), ("media_play_complete", "played"), PAIR[0]])
    platform.tell(call, "clear_play")
    until(lambda: len(told(platform, call)) == 4)
    heard_all(session)


def test_frames_behind_a_clear_are_new(platform: Platform, agent: Agent, patience: None) -> None:
    call = platform.call(app="playback", speed=0.5)
    session = platform.connect(agent, call)
    session.send(noise(80000).tobytes())
    until(lambda: call.heard().any())
    session.send({"event": "media.clear"})
    platform.event("media_play_complete", call, status="cleared")
    session.send(noise(1600).tobytes())
    heard_all(session)
    assert [name for name, _ in told(platform, call)].count("media_play_start") == 2
    platform.tell(call, "clear_play")
    until(lambda: told(platform, call)[-1] == PAIR[1])


def test_messages_of_their_own_are_never_taken_for_frames(platform: Platform, agent: Agent) -> None:
    call = platform.call(app="playback", speed=20)
    session = platform.connect(agent, call)
    for number in range(300):
        session.send(play_message("s", noise(100 + number, number), 8000, f"{number}"))
    heard_all(session)
    assert {event.get("format") for event in platform.events("media_play_start", call)} == {None}


@pytest.mark.parametrize("bits", [ATTEND_PLAYBACK_STARTED | ATTEND_PLAYBACK_IDLE, ATTEND_OVERRUN])
def test_what_is_noticed_after_the_end_is_not_told(platform: Platform, agent: Agent, bits: int,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """The core's last report may come when the stream has said that it is over."""
    monkeypatch.setattr(overrun_report, "_WATCH_SECONDS", 0.0)
    stopped = StreamEnd._stopped

    def report_and_stop(end: StreamEnd) -> None:
        path = end._parts.media.path
        path.play(noise(FRAME), 8000)
        path.wake_dispatcher(bits)
        stopped(end)
    monkeypatch.setattr(StreamEnd, "_stopped", report_and_stop)
    call = platform.call(app="playback")
    for _ in range(2):  # the second sees the end of what the first has left behind
        platform.connect(agent, call)
        platform.tell(call, "stop")
        until(lambda: platform.run("list") == "[]")
    names = [event.subclass.partition("::")[2] for event in list(platform.switch.events)]
    assert not {"media_play_start", "media_play_complete", "buffer_overrun"} & set(names)
    assert platform.names(call)[-1] == "stream_stopped"
