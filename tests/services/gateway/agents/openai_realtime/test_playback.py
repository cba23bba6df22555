"""Which audio of which item was heard, against a client that knows it."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Mapping

from hypothesis import example, given
from hypothesis import strategies as st

from freeswitch_audio_stream.services.gateway.agents import Output, Speaker
from freeswitch_audio_stream.services.gateway.agents.openai_realtime.playback import ItemHeard, Playback

MS = 32


class Client(Output):
    """Hears samples, each of which says which item it is of, and which sample of it."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []
        self._queue: Deque[tuple[int, int]] = deque()
        self._behind: Deque[tuple[int, int]] = deque()
        self.clears = 0

    def play(self, audio: bytes) -> None:
        for place in range(0, len(audio), 2):
            (self._behind if self.clears else self._queue).append((audio[place], audio[place + 1]))

    def clear(self) -> None:
        self._behind.clear()
        self.clears += 1

    def hear(self, count: int) -> None:
        for _ in range(min(count, len(self._queue))):
            self.heard.append(self._queue.popleft())

    def answer(self) -> int:
        """Carry out all orders to clear; return how many those were."""
        answered, self.clears = self.clears, 0
        if answered:
            self._queue, self._behind = self._behind, deque()
        return answered

    @property
    def milliseconds(self) -> int:
        return len(self.heard) * 2 // MS

    def transcript(self, speaker: Speaker, text: str) -> None:
        raise AssertionError

    def action(self, action: Mapping[str, Any]) -> None:
        raise AssertionError

    def fail(self, reason: str) -> None:
        raise AssertionError


def _audio(item: int, begin: int, count: int) -> bytes:
    return bytes(byte for number in range(begin, begin + count) for byte in (item, number % 256))


def _of(client: Client, item: int) -> int:
    return sum(1 for heard, _ in client.heard if heard == item)


STEPS = st.lists(st.one_of(
    st.tuples(st.just("play"), st.integers(1, 90)), st.tuples(st.just("next"), st.booleans()),
    st.tuples(st.just("hear"), st.integers(0, 120)), st.tuples(st.just("tell"), st.just(0)),
    st.tuples(st.just("clear"), st.just(0)), st.tuples(st.just("hold"), st.just(0)),
    st.tuples(st.just("release"), st.just(0)), st.tuples(st.just("answer"), st.just(0))), max_size=60)


@given(STEPS)
@example([("play", 1), ("answer", 0), ("play", 1), ("hear", 1)])
@example([("play", 1), ("hold", 0), ("release", 0), ("answer", 0), ("play", 1), ("hear", 1)])
@example([("play", 17), ("hold", 0), ("release", 0), ("hold", 0), ("answer", 0), ("hear", 17)])
@example([("play", 90), ("hear", 17), ("hold", 0), ("answer", 0), ("release", 0), ("hear", 90)])
def test_each_item_is_told_of_once_and_rightly(steps: list[tuple[str, Any]]) -> None:
    client = Client()
    playback = Playback(client)
    item, made = 1, {1: 0}
    finished: set[int] = set()
    reports: list[ItemHeard] = []
    for step, value in [*steps, ("clear", 0), ("answer", 0)]:
        if step == "play":
            playback.play(str(item), _audio(item, made[item], value))
            made[item] += value
        elif step == "next":
            if value:
                finished.add(item)
                reports += playback.finish(str(item))
            item += 1
            made[item] = 0
        elif step == "hear":
            client.hear(value)
        elif step == "tell":
            reports += playback.heard(client.milliseconds, False)
        elif step == "clear":
            reports += playback.clear()
            item += 1  # the service ends the item, too
            made[item] = 0
        elif step == "hold":
            playback.hold()
        elif step == "release":
            playback.release()
        else:
            milliseconds = client.milliseconds
            for _ in range(client.answer()):
                reports += playback.heard(milliseconds, True)
    assert playback.is_idle
    assert sorted(int(report.item) for report in reports) == [number for number, size in made.items() if size]
    # What is told counts whole milliseconds: up to one is lost sight of each time that audio is held or cleared, and is
    # heard again, or not at all, where it is held.
    holds = sum(step == "hold" for step, _ in steps)
    stops = holds + sum(step == "clear" for step, _ in steps)
    for report in reports:
        number = int(report.item)
        heard = _of(client, number)
        assert abs(report.milliseconds - heard * 2 / MS) < 2 + stops, "both are rounded down"
        if report.complete:
            assert number in finished and made[number] - heard <= MS // 2 * (1 + stops)
        elif number in finished:
            assert heard < made[number] + MS // 2 * stops
    for number in made:
        samples = [sample for heard, sample in client.heard if heard == number]
        jumps = [jump for jump in _jumps(samples) if jump]
        assert len(jumps) <= holds and all(abs(jump) <= MS // 2 for jump in jumps), "nothing else is missing or twice"


def _jumps(samples: list[int]) -> list[int]:
    """By how much each sample is not the next, which has been counted modulo 256."""
    return [(there - before - 1 + 128) % 256 - 128 for before, there in zip([-1, *samples], samples)]


def test_held_audio_is_played_again_from_where_it_was_heard() -> None:
    client = Client()
    playback = Playback(client)
    playback.play("7", _audio(7, 0, 64))
    client.hear(32)
    playback.hold()
    playback.play("7", _audio(7, 64, 16))
    playback.release()  # before the client has told where it was
    client.answer()
    assert playback.heard(2, True) == []
    client.hear(100)
    assert [sample for _, sample in client.heard] == list(range(80))
    assert playback.finish("7") == [] and playback.heard(5, False) == [ItemHeard("7", 5, True)]
