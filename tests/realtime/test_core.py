"""The core's threads and the life of its streams: nothing of one is left, or reaches the next."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from freeswitch_audio_stream import threads
from freeswitch_audio_stream.errors import CoreFailed, CoreFull
from freeswitch_audio_stream.native.memory import Arena
from freeswitch_audio_stream.realtime import core as core_module
from freeswitch_audio_stream.realtime import wakeup
from freeswitch_audio_stream.realtime.core import C_FUNCTIONS, Core, _clear, start_core
from freeswitch_audio_stream.realtime.indices import Indices
from freeswitch_audio_stream.realtime.path import MediaPath
from freeswitch_audio_stream.realtime.records import (ATTEND_INBOX, ATTEND_PLAYBACK_IDLE, ATTEND_SOCKET_BROKEN,
                                                      ATTEND_WAKE, CLOCK_LOOP, FUNCTIONS, IO_LOOP, MAX_STREAMS, QUEUE,
                                                      QUEUE_SLOTS, RESAMPLER, STREAM)
from freeswitch_audio_stream.switch.layouts import Dtmf, DtmfHook
from freeswitch_audio_stream.testing.peers.raw_websocket import frame
from freeswitch_audio_stream.testing.peers.websocket_end import WebSocketEnd

from . import natives
from .fake_leg import FakeFreeSwitch
from .open_stream import FORM, PATIENCE, OpenStream, template

Opening = Callable[..., OpenStream]


def open_path(core: Core) -> MediaPath:
    return core.open_path(FORM, [template()])[0]


def test_records_are_made_of_aligned_words() -> None:
    for record in (STREAM, FUNCTIONS, QUEUE, RESAMPLER, IO_LOOP, CLOCK_LOOP):
        assert record.itemsize % 64 == 0
        offsets = [int(place[1]) for place in (record.fields or {}).values()]
        assert offsets == [8 * place for place in range(len(offsets))]
    assert QUEUE_SLOTS & QUEUE_SLOTS - 1 == 0 and QUEUE_SLOTS >= 2 * MAX_STREAMS


def test_every_function_has_its_address(core: Core, switch: FakeFreeSwitch) -> None:
    assert set(C_FUNCTIONS) == set(switch.addresses)
    for name in C_FUNCTIONS:
        assert int(core._functions[0][name]) == switch.addresses[name]


def test_a_function_can_be_replaced_by_one_that_measures(switch: FakeFreeSwitch) -> None:
    core = Core(switch.addresses, workers=1)
    name = "switch_core_media_bug_read"
    core.replace_function(name, 1234)
    assert int(core._functions[0][name]) == 1234
    assert core.stop(PATIENCE)
    core.start(switch.addresses, workers=1)
    assert int(core._functions[0][name]) == switch.addresses[name], "until the next start"
    assert core.stop(PATIENCE)


def test_a_missing_function_is_noticed_at_once(switch: FakeFreeSwitch) -> None:
    with pytest.raises(KeyError):
        Core({name: 1 for name in C_FUNCTIONS[1:]}, workers=1)


def use_it(stream: OpenStream) -> None:
    """Everything that a stream can do, so that its memory is really there."""
    stream.attach_playback()
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    for _ in range(30):
        stream.leg.read(np.ones(160, np.int16), 16000)
        stream.leg.write(np.ones(160, np.int16))
    stream.path.send(1, bytes(100_000))
    stream.path.play(np.ones(40_000, np.int16), 8000)
    stream.path.clear()
    stream.leg.play_silence()
    server.connection.sendall(frame(1, bytes(50_000)))
    while not any(piece.is_last for piece in stream.path.take_inbox()):
        stream.worker.dispatch_queue.wait(1)
    while len(server.received) < 100_000:
        server.read_some()


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * (os.sysconf("SC_PAGESIZE") // 1024)


def mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.slow
def test_a_thousand_streams_leave_nothing(core: Core, switch: FakeFreeSwitch) -> None:
    def one() -> None:
        stream = OpenStream(core, switch, tracks="both")
        use_it(stream)
        stream.close()
        del switch.legs[stream.leg.session]
    for _ in range(50):
        one()
    gc.collect()
    before = resident_kb(), mappings(), len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(1000):
        one()
    gc.collect()
    after = resident_kb(), mappings(), len(os.listdir("/proc/self/fd")), threading.active_count()
    # Each of them had about half a megabyte in use; what may grow are the allocator's own habits.
    assert after[0] - before[0] < 16_000
    assert after[1] - before[1] < 50
    assert after[2:] == before[2:]


@pytest.mark.slow
def test_many_open_at_once_and_no_more_than_there_is_room_for(core: Core) -> None:
    paths = []
    try:
        while True:
            paths.append(open_path(core))
    except CoreFull:
        pass
    assert len(paths) == MAX_STREAMS and len({path.index for path in paths}) == len(paths)
    core.close_path(paths[7])
    replaced = open_path(core)
    assert replaced.index == paths[7].index
    for path in paths[:7] + paths[8:] + [replaced]:
        core.close_path(path)
    assert len(core._indices) == MAX_STREAMS


def test_the_place_that_was_free_longest_is_taken_next(core: Core) -> None:
    # So whoever still holds the index of a stream that ended finds nobody there for as long as possible.
    seen = set()
    for _ in range(60):
        path = open_path(core)
        assert path.index not in seen
        seen.add(path.index)
        core.close_path(path)


def test_a_new_stream_knows_nothing_of_the_old_one() -> None:
    for io_queue, kept in ((-2, {"io_queued", "clock_queued"}), (-1, {"clock_queued"})):
        record = np.full(STREAM.itemsize // 8, -1, np.int64).view(STREAM)
        record["io_queue"] = io_queue  # the same as the dispatcher's: no loop looks after it
        _clear(record)
        assert {name for name in STREAM.names or () if record[0][name] != 0} == kept


def test_streams_stay_together_up_to_a_point_and_all_threads_end(switch: FakeFreeSwitch,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "STREAMS_TOGETHER", 2)
    before = set(threading.enumerate())
    core = Core(switch.addresses, workers=3)
    opened = [core.open_path(FORM, [template()]) for _ in range(9)]
    assert [core.workers.index(worker) for _, worker in opened] == [0, 0, 1, 1, 2, 2, 0, 1, 2]
    core.close_path(opened[2][0])
    core.close_path(opened[3][0])
    assert core.workers.index(core.open_path(FORM, [template()])[1]) == 1
    mine = [thread for thread in threading.enumerate() if thread not in before]
    assert len(mine) == 6
    assert len({worker.clock_thread for worker in core.workers}) == 3
    assert core.stop(PATIENCE)
    assert not any(thread.is_alive() for thread in mine)
    assert core.stop(0)


def test_a_core_ends_with_streams_still_open(switch: FakeFreeSwitch) -> None:
    core = Core(switch.addresses, workers=1)
    stream = OpenStream(core, switch)
    stream.attach_playback()
    server = stream.connect()
    stream.path.play(np.ones(80_000, np.int16), 8000)
    stream.path.open_media()
    stream.leg.read(np.ones(160, np.int16), 8000)
    WebSocketEnd(server).frames(1)
    assert core.stop(PATIENCE)
    stream.ours.close()
    server.close()


@pytest.fixture
def no_idle_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "_idle", [])


def event_descriptors() -> int:
    """Those of the kinds that a core has: eventfds and epoll instances. Threads of others open files at any time."""
    kinds = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # closed meanwhile
            kinds.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(kind.startswith("anon_inode:") for kind in kinds)


def test_a_core_that_was_stopped_is_used_again(switch: FakeFreeSwitch, no_idle_cores: None) -> None:
    """FreeSWITCH may keep its addresses, so it cannot be freed: descriptors, hook and memory stay the same ones."""
    gc.collect()  # descriptors that others have left behind would be closed meanwhile
    core = start_core(switch.addresses, workers=2)
    hook, descriptors = core.digits.hook_address, event_descriptors()
    for workers in (2, 1, 2):
        stream = OpenStream(core, switch, tracks="both")
        use_it(stream)
        stream.close()
        del switch.legs[stream.leg.session]
        assert core.stop(PATIENCE)
        assert start_core(switch.addresses, workers) is core and len(core.workers) == workers
        assert core.digits.hook_address == hook
        assert event_descriptors() <= descriptors  # others may close what they have left behind
    another = start_core(switch.addresses, workers=1)
    assert another is not core, "one that runs is nobody else's"
    assert core.stop(PATIENCE) and another.stop(PATIENCE)


def test_more_loops_may_be_asked_for_than_before(switch: FakeFreeSwitch, no_idle_cores: None,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "STREAMS_TOGETHER", 1)
    assert start_core(switch.addresses, workers=1).stop(PATIENCE)
    core = start_core(switch.addresses, workers=2)
    streams = [OpenStream(core, switch) for _ in range(2)]
    assert {stream.worker for stream in streams} == set(core.workers)
    for stream in streams:
        use_it(stream)
        stream.close()
        del switch.legs[stream.leg.session]
    assert core.stop(PATIENCE)


def test_a_core_with_a_stream_left_is_not_used_again(switch: FakeFreeSwitch, no_idle_cores: None) -> None:
    core = start_core(switch.addresses, workers=1)
    open_path(core)
    assert core.stop(PATIENCE)
    another = start_core(switch.addresses, workers=1)
    assert another is not core
    assert another.stop(PATIENCE)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_clock_that_does_not_come_up_ends_the_start_and_all_threads(
        switch: FakeFreeSwitch, no_idle_cores: None, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    before = threading.active_count()
    run, begun = core_module.run_write_clock, itertools.count(1)

    def last_one_ends(loop: int) -> None:
        if next(begun) != workers:
            run(loop)
    with monkeypatch.context() as patch:
        patch.setattr(core_module, "run_write_clock", last_one_ends)
        with pytest.raises(CoreFailed, match=f"audio-stream-{workers - 1}-clock, .* ended at its start"):
            start_core(switch.addresses, workers)
    assert threading.active_count() == before
    core = start_core(switch.addresses, workers)
    stream = OpenStream(core, switch)
    use_it(stream)
    stream.close()
    del switch.legs[stream.leg.session]
    assert core.stop(PATIENCE)


def test_a_thread_that_cannot_be_had_ends_the_start_as_well(
        switch: FakeFreeSwitch, no_idle_cores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()

    def start_thread(name: str, *arguments: object, **options: bool) -> threading.Thread:
        if name.endswith("clock"):
            raise RuntimeError("can't start new thread")
        return threads.start_thread(name, *arguments, **options)  # type: ignore[arg-type]
    monkeypatch.setattr(core_module, "start_thread", start_thread)
    with pytest.raises(RuntimeError):
        start_core(switch.addresses, workers=1)
    assert threading.active_count() == before


def test_digits_that_came_while_nobody_read_them_are_forgotten(switch: FakeFreeSwitch, no_idle_cores: None) -> None:
    core = start_core(switch.addresses, workers=1)
    assert core.stop(PATIENCE)
    key = Dtmf(digit=b"5", duration=800)
    for _ in range(3000):  # calls that are still up go on to report theirs
        assert DtmfHook(core.digits.hook_address)(1, ctypes.byref(key), 0) == 0
    assert core.digits.lost
    assert start_core(switch.addresses, workers=1) is core
    assert list(core.digits.take()) == [] and core.digits.lost == 0
    assert core.stop(PATIENCE)


def test_loops_are_filled_to_the_exact_number_by_simultaneous_starts(switch: FakeFreeSwitch,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "STREAMS_TOGETHER", 20)
    core = Core(switch.addresses, workers=2)
    opened: list[tuple[MediaPath, object]] = []
    together = threading.Barrier(40)

    def start() -> None:
        together.wait()
        opened.append(core.open_path(FORM, [template()]))
    threads = [threading.Thread(target=start) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(worker is own for _, worker in opened) for own in core.workers] == [20, 20]
    for path, _ in opened:
        core.close_path(path)
    assert core.stop(PATIENCE)


def test_anybody_may_wake_the_dispatcher(open_stream: Opening) -> None:
    stream = open_stream()
    threading.Thread(target=stream.path.wake_dispatcher, args=(ATTEND_WAKE,)).start()
    stream.wait_for(ATTEND_WAKE)


def test_streams_do_not_hear_of_each_other(open_stream: Opening) -> None:
    first, second = open_stream(), open_stream()
    server = first.connect()
    second.connect()
    server.close()
    first.wait_for(ATTEND_SOCKET_BROKEN)
    assert second.path.take_attention() == 0
    second.path.play(np.ones(10, np.int16), 8000)
    second.leg.play_silence()
    second.wait_for(ATTEND_PLAYBACK_IDLE)
    assert first.path.take_attention() == 0


def test_nothing_is_sent_behind_the_end(core: Core) -> None:
    path = open_path(core)
    core.close_path(path)
    assert path.send(1, b"too late") is False


def test_statistics_never_show_less_than_nothing(open_stream: Opening) -> None:
    # Looked at while the stream moves: what waits is at least nothing.
    stream = open_stream(base64=False, chunk_ms=10)
    server = stream.connect()
    stream.path.open_media()
    ended = threading.Event()

    def move() -> None:
        for _ in range(3000):
            stream.leg.read(np.ones(80, np.int16), 8000)
            stream.path.play(np.ones(80, np.int16), 8000)
            stream.leg.play(np.zeros(80, np.int16))
        ended.set()
    mover = threading.Thread(target=move)
    reader = threading.Thread(target=_swallow, args=(server,))
    mover.start()
    reader.start()
    while not ended.is_set():
        counters = stream.path.statistics()
        assert counters.waiting >= 0 and counters.play_waiting >= 0
    mover.join(PATIENCE)
    stream.disconnect()
    reader.join(PATIENCE)


def _swallow(server: socket.socket) -> None:
    try:
        while server.recv(65536):
            pass
    except OSError:
        pass


def test_an_index_still_queued_from_the_old_stream_serves_the_new_one(core: Core) -> None:
    path, worker = core.open_path(FORM, [template()])
    index, record = path.index, path._record
    wakeup.attend(path.address, ATTEND_WAKE)
    _clear(record)
    record["index"], record["dispatch_queue"] = index, worker.dispatch_queue.address
    wakeup.attend(path.address, ATTEND_INBOX)
    assert set(worker.dispatch_queue.take()) == {index}
    assert path.take_attention() == ATTEND_INBOX
    wakeup.attend(path.address, ATTEND_WAKE)
    assert list(worker.dispatch_queue.take()) == [index]
    core.close_path(path)


def test_indices_are_used_again_after_a_rest() -> None:
    indices = Indices(200)
    first = [indices.take() for _ in range(10)]
    used = set(first)
    for index in first:
        indices.give_back(index)
    for _ in range(1000):
        index = indices.take()
        used.add(index)
        indices.give_back(index)
    assert len(used) == 65, "as many as rest, and one"
    taken = [indices.take() for _ in range(200)]
    assert sorted(taken) == list(range(200))
    with pytest.raises(CoreFull):
        indices.take()
    indices.give_back(taken[7])
    assert indices.take() == taken[7]


# Memory.


def test_parts_are_zero_apart_and_whole() -> None:
    sizes = {"one": 1, "page": 4096, "more": 10_000, "none": 0}
    arena = Arena(sizes)
    for number, (name, size) in enumerate(sizes.items()):
        assert arena.part(name).size == size and not arena.part(name).any()
        arena.part(name)[:] = number + 1
        assert arena.address(name) % (64 if size < 4096 else 4096) == 0
    for number, name in enumerate(sizes):
        assert (arena.part(name) == number + 1).all()


def test_a_large_part_costs_nothing_until_it_is_used() -> None:
    before = resident_kb()
    arena = Arena({"ring": 1 << 30})
    assert resident_kb() - before < 2000
    arena.part("ring")[:: 1 << 20] = 1
    assert resident_kb() - before < 8000
    arena.release()


def test_released_memory_is_unmapped() -> None:
    arena = Arena({"ring": 64 << 20})
    address = arena.address("ring")
    assert f"{address:x}-" in Path("/proc/self/maps").read_text()
    arena.release()
    gc.collect()
    assert f"{address:x}-" not in Path("/proc/self/maps").read_text()
    assert natives.monotonic_us() > 0
