"""A conversation of ten turns, three of which the caller interrupts: what was heard is what the service is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soxr

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.testing.openai_realtime import Item, RealtimeServer, Script
from tests.engine.harness import until

from .caller import Caller, samples
from .conftest import MakeSite
from .models import answers, voice

pytestmark = pytest.mark.slow

TURNS = 10
INTERRUPTED = {2, 5, 8}


def _converse(caller: Caller, turns: int, interrupted: set[int]) -> None:
    """Each turn: the caller speaks, the model answers; of these answers the caller hears only a part."""
    for turn in range(turns):
        if turn - 1 in interrupted:
            caller.interrupt(turn)
        else:
            caller.speak(turn)
        before = len(caller.heard)
        wanted = 700 if turn in interrupted else 999
        caller.listen(lambda: len(caller.heard) - before >= 32 * wanted)
        if turn not in interrupted:
            for _ in range(3):
                caller.tick()


def _correlation(left: Samples, right: Samples) -> float:
    return float(np.corrcoef(left.astype(float), right.astype(float))[0, 1])


def _check_heard(heard: bytes, items: list[Item], formats_rate: int, voices: list[Samples]) -> None:
    """The caller has heard each answer as far as the service was told, and nothing else."""
    told = [item.truncated_ms if item.truncated_ms is not None else item.audio_ms or 0 for item in items]
    assert abs(len(heard) / 32 - sum(told)) <= len(items), "not more than a millisecond each is rounded away"
    place = 0
    for item, ms, said in zip(items, told, voices):
        expected = soxr.resample(said, 24000, 16000, "VHQ")[:ms * 16]
        begin = place // 2
        found = max(range(-16 * len(items), 16 * len(items) + 1), key=lambda shift: _overlap(
            samples(heard), expected[1600:4800], begin + 1600 + shift))
        part = samples(heard)[begin + found:begin + found + len(expected)]
        assert abs(found) <= 16 * len(items) and len(part) >= len(expected) - 32
        assert _correlation(part, expected[:len(part)]) > 0.99
        place = (begin + found + ms * 16) * 2


def _overlap(track: Samples, part: Samples, place: int) -> float:
    piece = track[max(0, place):max(0, place) + len(part)].astype(float)
    return float(np.dot(piece, part[:len(piece)].astype(float)))


@pytest.mark.parametrize("form", ["pcm", "pcmu"])
def test_ten_turns_with_three_interruptions(form: str, service: RealtimeServer, script: Script,
                                            make_site: MakeSite) -> None:
    turns, interrupted = (TURNS, INTERRUPTED) if form == "pcm" else (3, {1})
    script.reply = answers(lambda number: 8.0 if number in interrupted else 1.0)
    with make_site(format=form, instructions="Be brief.") as site:
        caller = Caller(site)
        _converse(caller, turns, interrupted)
        session, = service.sessions
        items = [item for item in session.items.all if item.role == "assistant"]
        assert len(items) == turns and session.errors == []
        summary: Any = caller.end()
    cuts = [event for event in session.received if event["type"] == "conversation.item.truncate"]
    assert {items.index(next(item for item in items if item.id == cut["item_id"])) for cut in cuts} == interrupted
    assert len(cuts) == len(interrupted) and all(700 <= cut["audio_end_ms"] < 8000 for cut in cuts)
    _check_heard(bytes(caller.heard), items, 24000, [
        voice(1000 + number, 8.0 if number in interrupted else 1.0) for number in range(turns)])
    assert [(action["item"], action["heardMs"]) for action in summary["actions"]] == [
        (cut["item_id"], cut["audio_end_ms"]) for cut in cuts]
    speakers = [line.split("]")[0] for line in summary["transcript"]]
    assert speakers == ["[User", "[AI"] * turns
    until(lambda: service.live == 0)
