"""How much of each item the caller has heard, against a queue in which every sample is followed by itself."""

from __future__ import annotations

from collections import deque
from typing import Callable

from hypothesis import given
from hypothesis import strategies as st

from freeswitch_audio_stream.engine.conversation.playback.heard_items import HeardItems
from freeswitch_audio_stream.realtime.path import SettledMark

RATE = 1000  # a sample is a millisecond
Settle = Callable[[SettledMark], None]


class Queue:
    """A playback queue as the core has it, with as many marks as it has room for."""

    def __init__(self, room: int = 1024) -> None:
        self.reports: list[tuple[str, int, bool]] = []
        self.items = HeardItems(self._set_mark, lambda *report: self.reports.append(report))
        self.heard: list[str | None] = []
        self.most_marks = 0
        self._room = room
        self._names: list[str | None] = []
        self._read = 0
        self._marks: deque[tuple[int, Settle]] = deque()
        self._settled: deque[tuple[Settle, SettledMark]] = deque()

    def _set_mark(self, settle: Settle) -> bool:
        if len(self._marks) == self._room:
            return False
        self._marks.append((len(self._names), settle))
        self.most_marks = max(self.most_marks, len(self._marks))
        return True

    def play(self, name: str | None, samples: int) -> None:
        begin = len(self._names)
        self.items.before(name, begin)
        self._names += [name] * samples
        if name is not None:
            self.items.queued(name, begin, begin + samples, RATE)

    def hear(self, samples: int) -> None:
        """The caller hears so many; nobody is told of the marks yet."""
        begin, self._read = self._read, min(len(self._names), self._read + samples)
        self.heard += self._names[begin:self._read]
        self._settle(self._read, True)

    def clear(self) -> None:
        self.items.clear(len(self._names))
        self._settle(len(self._names), False)
        self._read = len(self._names)

    def _settle(self, upto: int, played: bool) -> None:
        while self._marks and self._marks[0][0] <= upto:
            self._settled.append((self._marks.popleft()[1], SettledMark(0, played, self._read)))

    def tell(self) -> None:
        """The dispatcher takes the settled marks."""
        for settle, mark in [self._settled.popleft() for _ in range(len(self._settled))]:
            settle(mark)

    def abandon(self) -> None:
        self.tell()
        self.items.abandon(self._read)

    def latest(self) -> dict[str, tuple[int, bool]]:
        return {name: (milliseconds, complete) for name, milliseconds, complete in self.reports}


def test_an_item_in_many_messages_is_reported_once_with_one_mark_at_a_time() -> None:
    queue = Queue()
    for _ in range(2000):
        queue.play("a", 20)
    while len(queue.heard) < 40_000:
        queue.hear(160)
        queue.tell()
    assert queue.reports == [("a", 40_000, True)] and queue.most_marks == 1


def test_more_that_comes_later_is_added() -> None:
    queue = Queue()
    for total in (100, 200, 300):
        queue.play("a", 100)
        queue.hear(100)
        queue.tell()
        assert queue.reports[-1] == ("a", total, True)
    assert len(queue.reports) == 3


def test_a_clear_reports_where_the_caller_was_interrupted() -> None:
    queue = Queue()
    queue.play("a", 100)
    queue.play("b", 500)
    queue.play(None, 50)
    queue.play("c", 500)
    queue.hear(230)
    queue.clear()
    queue.tell()
    assert queue.reports == [("a", 100, True), ("b", 130, False), ("c", 0, False)]


def test_what_comes_after_a_clear_is_of_the_same_item_all_the_same() -> None:
    queue = Queue()
    queue.play("a", 100)
    queue.hear(30)
    queue.clear()
    queue.play("a", 50)
    queue.tell()
    assert queue.reports == [("a", 30, False)]
    queue.hear(50)
    queue.tell()
    assert queue.reports[1:] == [("a", 80, True)]


def test_the_end_is_a_clear() -> None:
    queue = Queue()
    queue.play("a", 100)
    queue.play("b", 100)
    queue.play("b", 100)
    queue.hear(130)
    queue.abandon()
    assert queue.reports == [("a", 100, True), ("b", 30, False)]


def test_a_new_connection_hears_nothing_of_what_was_before() -> None:
    queue = Queue()
    queue.play("a", 100)
    queue.items.forget()
    queue.play("a", 100)
    queue.hear(200)
    queue.tell()
    assert queue.reports == [("a", 100, True)]


def test_without_room_for_marks_a_clear_reports_no_more_than_was_heard() -> None:
    queue = Queue(room=0)
    queue.play("a", 100)
    queue.hear(50)
    queue.clear()
    assert queue.reports == [("a", 0, False)]


def steps(names: list[str | None]) -> st.SearchStrategy[list[tuple[object, ...]]]:
    return st.lists(st.one_of(
        st.tuples(st.just("play"), st.sampled_from(names), st.integers(1, 50)),
        st.tuples(st.just("hear"), st.integers(1, 80)), st.just(("clear",)), st.just(("tell",))), max_size=40)


def run(steps: list[tuple[object, ...]]) -> Queue:
    queue = Queue()
    for name, *arguments in steps:
        getattr(queue, str(name))(*arguments)
    queue.abandon()
    return queue


@given(steps(["a"]))
def test_the_total_is_what_was_heard(steps: list[tuple[object, ...]]) -> None:
    queue = run(steps)
    played = ("play" in [step[0] for step in steps])
    assert [report[0] for report in queue.latest().values()] == ([queue.heard.count("a")] if played else [])


@given(steps(["a", "b", None]))
def test_of_several_items_no_more_is_reported_than_was_heard(steps: list[tuple[object, ...]]) -> None:
    queue = run(steps)  # an item that is left for another and taken up again may begin anew
    assert queue.latest().keys() == {step[1] for step in steps if step[0] == "play"} - {None}
    assert all(milliseconds <= queue.heard.count(name) for name, milliseconds, _ in queue.reports)
