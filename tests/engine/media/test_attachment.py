"""Letting go of a call in the one order that keeps a switch alive, whoever closes what first."""

from __future__ import annotations

import itertools
from typing import cast

import pytest

from freeswitch_audio_stream.engine.call import BugKind, Call
from freeswitch_audio_stream.engine.media import attachment as attachment_module
from freeswitch_audio_stream.engine.media.attachment import Attachment, wrap_callbacks
from freeswitch_audio_stream.errors import RefusedError
from freeswitch_audio_stream.realtime.path import MediaPath
from freeswitch_audio_stream.realtime.records import (ATTEND_CLOCK_OFF, ATTEND_READ_CLOSED, ATTEND_REPLACE_CLOSED,
                                                      ATTEND_WRITE_CLOSED, ATTEND_WRITE_CODEC)

READ, WRITE, PLAYBACK = BugKind.CAPTURE_READ, BugKind.CAPTURE_WRITE, BugKind.PLAYBACK
BITS = {READ: ATTEND_READ_CLOSED, WRITE: ATTEND_WRITE_CLOSED, PLAYBACK: ATTEND_REPLACE_CLOSED}
KINDS = [[READ], [WRITE, READ], [PLAYBACK, READ], [PLAYBACK, WRITE, READ]]


class Stage:
    """A call and a path that write down what is done to them, and know what must not be done any more."""

    session, channel, address = 1, 2, 3

    def __init__(self, refuses: BugKind | None = None) -> None:
        self.deeds: list[str] = []
        self.attached: set[BugKind] = set()
        self.callbacks: dict[BugKind, int] = {}
        self.ended: str | None = None
        self._refuses = refuses
        self._codec = 0

    # The call

    def attach(self, kind: BugKind, callback: int, user: int) -> None:
        assert callback and user == self.address
        self.callbacks[kind] = callback
        if kind is self._refuses:
            raise RefusedError("no")
        self.attached.add(kind)
        self.deeds.append(f"attach {kind.value}")

    def detach(self, kind: BugKind) -> None:
        self._check()
        self.attached.discard(kind)
        self.deeds.append(f"detach {kind.value}")

    def open_write_codec(self) -> tuple[int, int]:
        self._check()
        self._codec += 1
        return self._codec, 7

    def end_reason(self) -> str | None:
        self._check()
        return self.ended

    def release(self) -> None:
        self._check()
        self.deeds.append("release")

    def _check(self) -> None:
        assert "release" not in self.deeds, "the call may be gone"

    # The path

    def set_session(self, session: int, channel: int) -> None:
        assert not self.attached, "a callback may run already"

    def set_write_codec(self, codec: int, implementation: int) -> None:
        self.deeds.append(f"codec {codec}")

    def enable_playback(self, now_us: int) -> None:
        self.deeds.append("enable")

    def stop_clock(self) -> None:
        self._check()
        self.deeds.append("stop clock")


def attachment(stage: Stage) -> Attachment:
    path = cast(MediaPath, stage)
    return Attachment(cast(Call, stage), path, path, lambda: stage.deeds.append("released"))


@pytest.mark.parametrize("kinds", KINDS, ids=str)
@pytest.mark.parametrize("theirs", [0, 1, 2, 3], ids=lambda count: f"{count} closed by the switch")
def test_the_order_of_letting_go(kinds: list[BugKind], theirs: int) -> None:
    """Bugs, then the clock, then the call; however our closing and the switch's closing interleave."""
    for order in itertools.permutations(kinds):
        stage = Stage()
        holding = attachment(stage)
        holding.attach(kinds)
        assert stage.deeds[0] == f"attach {kinds[0].value}"
        for kind in order[:theirs]:
            holding.attend(BITS[kind])
        holding.detach_all()
        for kind in order[theirs:]:
            assert "stop clock" not in stage.deeds and "release" not in stage.deeds
            holding.attend(BITS[kind])
        if PLAYBACK in kinds:
            assert stage.deeds[-1] == "stop clock" and not holding.released
            holding.attend(ATTEND_CLOCK_OFF)
        assert stage.deeds[-2:] == ["release", "released"] and holding.released
        assert stage.deeds.count("release") == 1
        assert holding.lost == (theirs > 0)


def test_nothing_is_detached_twice() -> None:
    stage = Stage()
    holding = attachment(stage)
    holding.attach([PLAYBACK, WRITE, READ])
    holding.detach([READ, WRITE])
    holding.detach_all()
    holding.detach_all()
    assert sorted(deed for deed in stage.deeds if deed.startswith("detach")) == \
        ["detach playback", "detach read", "detach write"]


@pytest.mark.parametrize("refused, attached", [
    (PLAYBACK, set()), (WRITE, {PLAYBACK}), (READ, {PLAYBACK, WRITE})])
def test_a_bug_that_is_refused(refused: BugKind, attached: set[BugKind]) -> None:
    stage = Stage(refuses=refused)
    holding = attachment(stage)
    with pytest.raises(RefusedError):
        holding.attach([PLAYBACK, WRITE, READ])
    assert stage.attached == attached
    holding.detach_all()
    assert stage.attached == set()
    for kind in attached:
        holding.attend(BITS[kind])
    holding.attend(ATTEND_CLOCK_OFF)
    assert holding.released and stage.deeds.count("release") == 1


@pytest.mark.parametrize("reason", ["hangup", "shutdown", None])
def test_why_a_bug_was_closed_by_others(reason: str | None) -> None:
    stage = Stage()
    holding = attachment(stage)
    holding.attach([WRITE, READ])
    stage.ended = reason
    holding.attend(BITS[WRITE])
    assert holding.lost and holding.end_reason == reason
    stage.ended = "something later"
    holding.attend(BITS[READ])
    assert holding.end_reason == reason


def test_a_call_that_ended_before_its_last_bug_was_there() -> None:
    stage = Stage()
    holding = attachment(stage)
    holding.attach([READ])
    holding.look_after_call()
    assert not holding.lost
    stage.ended = "hangup"
    holding.look_after_call()
    assert holding.lost and holding.end_reason == "hangup"
    holding.detach_all()
    holding.attend(BITS[READ])
    holding.look_after_call()  # does not ask a call that is released
    assert holding.released


def test_the_write_codec_follows_the_call() -> None:
    stage = Stage()
    holding = attachment(stage)
    holding.attach([PLAYBACK, READ])
    assert stage.deeds == ["attach playback", "codec 1", "enable", "attach read"]
    holding.attend(ATTEND_WRITE_CODEC)
    assert stage.deeds[-1] == "codec 2"
    holding.detach_all()
    holding.attend(BITS[PLAYBACK])
    holding.attend(ATTEND_WRITE_CODEC)
    assert "codec 3" not in stage.deeds, "nothing plays any more"


def test_a_call_is_not_let_go_before_it_is_attached_to() -> None:
    """While its media is waited for, the core may report something, and is told to look at it."""
    stage = Stage()
    holding = attachment(stage)
    for bits in (0, ATTEND_WRITE_CODEC, ATTEND_CLOCK_OFF):
        holding.attend(bits)
    assert not holding.released and stage.deeds == []
    holding.attach([READ])
    assert not holding.released
    holding.detach_all()
    holding.attend(BITS[READ])
    assert holding.released
    never = attachment(stage := Stage())
    never.detach_all()
    assert never.released and stage.deeds == ["release", "released"]


def test_callbacks_can_be_wrapped_to_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachment_module, "_CALLBACKS", dict(attachment_module._CALLBACKS))
    plain, measured = Stage(), Stage()
    attachment(plain).attach([PLAYBACK, WRITE, READ])
    wrap_callbacks(lambda kind, callback: callback + 1)
    attachment(measured).attach([PLAYBACK, WRITE, READ])
    assert measured.callbacks == {kind: callback + 1 for kind, callback in plain.callbacks.items()}
