"""Queues of streams: nothing is lost, nothing comes twice, and a sleeper is woken."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from freeswitch_audio_stream.realtime import wakeup
from freeswitch_audio_stream.realtime.core import Queue
from freeswitch_audio_stream.realtime.records import QUEUE_SLOTS, STREAM

from . import natives
from .open_stream import PATIENCE


def streams_of(queue: Queue, count: int) -> NDArray[Any]:
    """Records with nothing but their index and their dispatcher's queue."""
    records = np.zeros(count, STREAM)
    records["index"] = range(count)
    records["dispatch_queue"] = queue.address
    return records


def address(records: NDArray[Any], index: int) -> int:
    return int(records.ctypes.data) + index * STREAM.itemsize


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_order_of_one_writer() -> None:
    queue = Queue()
    for index in range(QUEUE_SLOTS):
        natives.push_many(queue.address, index % 4096, 1)
    assert list(queue.take()) == [index % 4096 for index in range(QUEUE_SLOTS)]
    assert list(queue.take()) == []


def test_every_push_of_many_threads_arrives_once() -> None:
    queue = Queue()
    for _ in range(20):
        each = QUEUE_SLOTS // 8
        seen: Counter[int] = Counter()

        def read(seen: Counter[int] = seen) -> None:
            while seen.total() < 8 * each:
                queue.wait(None)
                seen.update(queue.take())
        run_all([threading.Thread(target=natives.push_many, args=(queue.address, writer, each))
                 for writer in range(8)] + [threading.Thread(target=read)])
        assert seen == {writer: each for writer in range(8)}
        assert list(queue.take()) == []


def test_a_stream_waits_in_a_queue_once_and_its_bits_are_collected() -> None:
    queue = Queue()
    records = streams_of(queue, 2)
    for bits in (1, 4, 4, 32):
        wakeup.attend(address(records, 1), bits)
    assert list(queue.take()) == [1]
    assert wakeup.take_attention(address(records, 1)) == 1 | 4 | 32
    assert wakeup.take_attention(address(records, 1)) == 0
    wakeup.attend(address(records, 1), 2)
    assert list(queue.take()) == [1]


def test_no_bit_is_lost_between_many_threads() -> None:
    # Every thread waits for the answer to each of its bits: a lost one, or a lost wake-up, stops it.
    queue = Queue()
    rounds, writers, per_stream = 400, 6, 3
    records = streams_of(queue, writers // per_stream)
    answers = [threading.Semaphore(0) for _ in range(writers)]
    done = 0

    def write(writer: int) -> None:
        for _ in range(rounds):
            wakeup.attend(address(records, writer // per_stream), 1 << writer)
            assert answers[writer].acquire(timeout=PATIENCE)

    def read() -> None:
        nonlocal done
        while done < rounds * writers:
            queue.wait(None)
            for index in queue.take():
                bits = wakeup.take_attention(address(records, index))
                for writer in range(writers):
                    if bits >> writer & 1:
                        done += 1
                        answers[writer].release()
    run_all([threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
            + [threading.Thread(target=read)])
    assert done == rounds * writers


def test_attention_under_full_load() -> None:
    # All writers run without the GIL, at the pace of the processor.
    queue = Queue()
    records = streams_of(queue, 64)
    seen = np.zeros(64, np.int64)
    writers = [threading.Thread(target=natives.attend_many, args=(address(records, index), 1 << turn, 3000))
               for index in range(64) for turn in range(2)]
    finished = threading.Event()

    def read() -> None:
        while True:
            last = finished.is_set()
            for index in queue.take():
                seen[index] |= wakeup.take_attention(address(records, index))
            if last:
                return
            queue.wait(None)
    reader = threading.Thread(target=read)
    reader.start()
    run_all(writers)
    finished.set()
    queue.wake()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert (seen == 3).all()
    assert not records["attention"].any() and not records["dispatch_queued"].any()


def test_a_sleeper_is_woken_by_a_push_and_by_wake() -> None:
    queue = Queue()
    for wake in (queue.wake, lambda: natives.push_many(queue.address, 7, 1)):
        sleeper = threading.Thread(target=queue.wait, args=(None,))
        sleeper.start()
        while not wakeup_sleeping(queue):
            pass
        wake()
        sleeper.join(PATIENCE)
        assert not sleeper.is_alive()
    assert list(queue.take()) == [7]


def wakeup_sleeping(queue: Queue) -> bool:
    return bool(queue._record[0]["sleeping"])


def test_a_reader_that_is_awake_costs_a_writer_no_system_call() -> None:
    queue = Queue()
    natives.push_many(queue.address, 1, 3)
    assert wakeup.wait(queue.address, 0) == 1  # something is there: it did not sleep
    assert not wakeup_sleeping(queue)
    assert list(queue.take()) == [1, 1, 1]
    assert wakeup.wait(queue.address, 0) == 0  # nobody had written the eventfd


@pytest.mark.parametrize("timeout", [0, 1, 1500])
def test_an_empty_queue_lets_the_reader_go_when_the_time_is_over(timeout: int) -> None:
    queue = Queue()
    assert wakeup.wait(queue.address, timeout) == 0
    assert not wakeup_sleeping(queue)


def test_announcing_sleep_with_something_queued_is_refused() -> None:
    queue = Queue()
    natives.push_many(queue.address, 3, 1)
    assert wakeup.announce_sleep(queue.address) == 0
    assert wakeup.pop(queue.address) == 3
    assert wakeup.announce_sleep(queue.address) == 1
    natives.push_many(queue.address, 3, 1)
    assert not wakeup_sleeping(queue), "the writer takes over the duty to wake"
    assert wakeup.wait(queue.address, -1) == 1
