"""What every store does; each implementation goes through all of it."""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path
from typing import Any, Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.errors import SettingError
from freeswitch_audio_stream.services.recorder.storage.file_store import FileStore
from freeswitch_audio_stream.services.recorder.storage.finished import open_finished
from freeswitch_audio_stream.services.recorder.storage.interface import (AudioStore, Progress, Recording, StorageFull,
                                                                         Stored, StoreError, UnknownRecording, Write)
from freeswitch_audio_stream.services.recorder.storage.sealing.master_keys import MasterKeys
from freeswitch_audio_stream.services.recorder.storage.sealing.reading import SealedRecording
from freeswitch_audio_stream.services.recorder.storage.segments import Policy
from freeswitch_audio_stream.services.recorder.storage.wav import HEADER_BYTES, read_header, write_header

SEALED = MasterKeys({"of tests": bytes(range(32))})
MakeStore = Callable[[], AudioStore]


def recording(channels: int = 1) -> Recording:
    return Recording(str(uuid.uuid4()), 8000, channels, "alice", created=1.5)


def write(data: bytes, chunks: int, received: int, note: bytes = b"", stream: int = 0) -> Write:
    return Write(((stream, data),), Progress(chunks, received, note))


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture(params=["files", "sealed", "objects"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path, told: list[str]) -> MakeStore:
    """Opens the same store at every call, on an event loop of its own, and goes on with what is unfinished."""
    if request.param == "files":
        return lambda: FileStore(tmp_path, told.append)
    if request.param == "sealed":
        return lambda: FileStore(tmp_path, told.append, keys=SEALED)
    pytest.importorskip("obstore")
    from .object_store.opened import OpenedStore, Place
    place = Place(request.getfixturevalue("postgres"), request.getfixturevalue("s3"))
    return lambda: OpenedStore(place, told.append)


async def content(store: AudioStore, stored: Stored) -> bytes:
    """The bytes of the WAV file, read from where it is said to be, past the store."""
    if hasattr(store, "content"):
        found: bytes = await store.content(stored)
        return found
    opened = open_finished(Path(stored.place), SEALED)
    if isinstance(opened, SealedRecording):
        what = opened.recording
        return write_header(what.rate, what.channels, opened.audio_bytes) + opened.read(0, opened.audio_bytes)
    return Path(stored.place).read_bytes()


def run(make_store: MakeStore, use: Callable[[AudioStore], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        store = make_store()
        try:
            await open_up(store)
            return await use(store)
        finally:
            await store.close()
    return asyncio.run(main())


async def open_up(store: AudioStore) -> None:
    """Some stores take up what is unfinished on their event loop."""
    if hasattr(store, "open"):
        await store.open()


def test_what_is_added_is_read_finished_and_read_again(make_store: MakeStore) -> None:
    what = recording(2)

    async def use(store: AudioStore) -> None:
        await store.begin(what)
        await asyncio.gather(store.append(what.id, write(b"abcd", 1, 4)), store.append(what.id, write(b"efghi", 2, 9)))
        assert await store.read(what.id, 2, 100) == b"cdefghi"
        assert store.unfinished[what.id].progress == Progress(2, 9)
        stored = await store.finish(what.id)
        assert stored.audio_bytes == 8  # whole samples of both channels
        assert await store.read(what.id, 4, 2) == b"ef" and what.id not in store.unfinished
        assert await store.finish(what.id) == stored == await store.stored(what.id)
        with pytest.raises(StoreError):
            await store.append(what.id, write(b"x", 3, 10))
    run(make_store, use)


def test_what_is_unfinished_goes_on_after_closing(make_store: MakeStore) -> None:
    what = recording()

    async def first(store: AudioStore) -> None:
        await store.begin(what)
        await store.append(what.id, Write(((0, b"samples!"), (1, b"mp3")), Progress(1, 11, b"note")))

    async def second(store: AudioStore) -> bytes:
        found = store.unfinished[what.id]
        assert (found.recording, found.progress, found.damage) == (what, Progress(1, 11, b"note"), "")
        assert found.lengths == {0: 8, 1: 3} and await store.read(what.id, 1, 9, stream=1) == b"p3"
        await store.append(what.id, write(b"more", 2, 15))
        return await content(store, await store.finish(what.id))
    run(make_store, first)
    wav = run(make_store, second)
    header = read_header(wav)
    assert header and (header.rate, header.channels, header.data_bytes) == (8000, 1, 12)
    assert wav[header.offset:] == b"samples!more"
    run(make_store, lambda store: _nothing_is_unfinished(store))


async def _nothing_is_unfinished(store: AudioStore) -> None:
    assert store.unfinished == {}


def test_what_is_deleted_does_not_come_back(make_store: MakeStore) -> None:
    going, gone = recording(), recording()

    async def use(store: AudioStore) -> None:
        for what in (going, gone):
            await store.begin(what)
            await store.append(what.id, write(b"abcd", 1, 4))
        await store.finish(gone.id)
        for what in (going, gone):
            await store.delete(what.id)
            with pytest.raises(UnknownRecording):
                await store.stored(what.id)
            with pytest.raises(UnknownRecording):
                await store.read(what.id, 0, 4)
        await store.delete(going.id)
    run(make_store, use)
    run(make_store, _nothing_is_unfinished)


def test_writes_keep_their_order_whoever_else_writes(make_store: MakeStore) -> None:
    recordings = [recording() for _ in range(5)]

    async def use(store: AudioStore) -> None:
        for what in recordings:
            await store.begin(what)
        await asyncio.gather(*(store.append(what.id, write(b"%02d" % number, number + 1, 2 * number + 2))
                               for number in range(100) for what in recordings))
        for what in recordings:
            assert await store.read(what.id, 0, 1000) == b"".join(b"%02d" % number for number in range(100))
    run(make_store, use)


# What only the store in a directory has.


def crash(store: FileStore) -> None:
    """Leave everything as a kill does: nothing more is written, and the lock is gone."""
    store._committer.stop()
    store.folder.release()


def fill(tmp_path: Path, parts: list[bytes], policy: Policy = Policy()) -> str:
    async def main() -> str:
        store, what, received = FileStore(tmp_path, print, policy), recording(), 0
        await store.begin(what)
        for number, part in enumerate(parts):
            received += len(part)
            await store.append(what.id, write(part, number + 1, received))
        crash(store)
        return what.id
    return asyncio.run(main())


def found(tmp_path: Path, told: list[str] | None = None) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What is unfinished after the next start, and its samples."""
    async def main() -> tuple[dict[str, Any], dict[str, bytes]]:
        store = FileStore(tmp_path, (told if told is not None else []).append)
        samples = {id: await store.read(id, 0, 1 << 20) for id in store.unfinished}
        unfinished = dict(store.unfinished)
        await store.close()
        return unfinished, samples
    return asyncio.run(main())


@settings(max_examples=40, deadline=None)
@given(lost=st.integers(0, 400), junk=st.binary(max_size=80))
def test_a_torn_end_loses_nothing_before_it(tmp_path_factory: pytest.TempPathFactory, lost: int, junk: bytes) -> None:
    folder = tmp_path_factory.mktemp("torn")
    parts = [bytes([65 + number]) * 50 for number in range(8)]
    id = fill(folder, parts)
    journal = max((folder / "unfinished").glob("journal-*"))
    whole = journal.read_bytes()
    journal.write_bytes(whole[:max(16, len(whole) - lost)] + junk)
    (folder / "unfinished" / f"{id}.wav").write_bytes(b"")  # whatever the kernel had not written yet
    unfinished, samples = found(folder)
    if id in unfinished:
        assert b"".join(parts).startswith(samples[id]) and len(samples[id]) % 50 == 0
        assert unfinished[id].progress == Progress(len(samples[id]) // 50, len(samples[id]))
    record = 48 + 14 + 50
    assert len(samples.get(id, b"")) >= 50 * (8 - -(-lost // record))


def test_damage_in_the_middle_costs_what_it_hit_and_is_told(tmp_path: Path) -> None:
    parts = [bytes([65 + number]) * 50 for number in range(8)]
    id = fill(tmp_path, parts)
    journal = max((tmp_path / "unfinished").glob("journal-*"))
    damaged = bytearray(journal.read_bytes())
    damaged[damaged.index(b"C" * 50) + 7] ^= 1
    journal.write_bytes(damaged)
    (tmp_path / "unfinished" / f"{id}.wav").write_bytes(b"")
    told: list[str] = []
    unfinished, samples = found(tmp_path, told)
    assert samples[id] == b"".join(parts).replace(b"C", b"\0")
    assert "lost" in unfinished[id].damage and "damaged" in told[0]
    assert found(tmp_path)[0][id].damage == unfinished[id].damage  # and is not forgotten


def test_what_was_never_acknowledged_is_cut_off(tmp_path: Path) -> None:
    id = fill(tmp_path, [b"abcd"])
    with open(tmp_path / "unfinished" / f"{id}.wav", "ab") as file:
        file.write(b"written, but not in the journal")
    assert found(tmp_path)[1][id] == b"abcd"


def test_audio_without_a_journal_is_taken_in(tmp_path: Path) -> None:
    id = fill(tmp_path, [b"abcde"])
    max((tmp_path / "unfinished").glob("journal-*")).unlink()
    told: list[str] = []
    unfinished, samples = found(tmp_path, told)
    assert samples[id] == b"abcd" and unfinished[id].recording.rate == 8000
    assert unfinished[id].damage and id in told[0]


def test_a_crash_between_name_and_record_of_the_end(tmp_path: Path) -> None:
    id = fill(tmp_path, [b"abcd"])
    os.rename(tmp_path / "unfinished" / f"{id}.wav", tmp_path / f"{id}.wav")
    assert found(tmp_path)[0] == {} and not list((tmp_path / "unfinished").glob(f"{id}*"))


def test_segments_follow_each_other_and_old_ones_go(tmp_path: Path) -> None:
    parts = [os.urandom(500) for _ in range(60)]
    id = fill(tmp_path, parts, Policy(segment_bytes=2000))
    numbers = [path.name for path in (tmp_path / "unfinished").glob("journal-*")]
    assert min(numbers) > "journal-0000000001"
    assert found(tmp_path)[1][id] == b"".join(parts)
    assert 0 < len(list((tmp_path / "unfinished").glob("spare-*"))) <= 2  # which have been written to several times


def test_a_segment_that_had_no_name_yet_is_none(tmp_path: Path) -> None:
    id = fill(tmp_path, [b"abcd"])
    journal = max((tmp_path / "unfinished").glob("journal-*"))
    journal.with_name("spare-0000000009").write_bytes(journal.read_bytes().replace(b"abcd", b"efgh"))
    assert found(tmp_path)[1][id] == b"abcd"
    assert found(tmp_path)[1][id] == b"abcd"  # it was written to again


@pytest.mark.parametrize("sync", ["always", "interval", "never"])
def test_when_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: str) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    fill(tmp_path, [b"a", b"b", b"c"], Policy(sync=sync, interval_seconds=1000.0))
    assert len(synced) == (4 if sync == "always" else 0)


def test_the_sync_comes_before_the_acknowledgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real = os.fdatasync

    def sync(descriptor: int) -> None:
        real(descriptor)
        order.append("synced")
    monkeypatch.setattr(os, "fdatasync", sync)

    async def use(store: AudioStore) -> None:
        what = recording()
        await store.begin(what)
        order.clear()
        await store.append(what.id, write(b"abcd", 1, 4))
        order.append("acknowledged")
    run(lambda: FileStore(tmp_path, print), use)
    assert order[:2] == ["synced", "acknowledged"]


def test_a_full_disk_refuses_and_spoils_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, is_full = os.pwritev, [False]

    def pwritev(descriptor: int, buffers: list[bytes], offset: int) -> int:
        if is_full[0] and sum(map(len, buffers)) > 100:
            is_full[0] = False
            real(descriptor, [buffers[0][:10]], offset)
            raise OSError(28, "No space left on device")
        return real(descriptor, buffers, offset)
    monkeypatch.setattr(os, "pwritev", pwritev)

    async def use(store: AudioStore) -> bytes:
        what, other = recording(), recording()
        for one in (what, other):
            await store.begin(one)
        await store.append(what.id, write(b"abcd", 1, 4))
        is_full[0] = True
        with pytest.raises(StorageFull, match="make room"):
            await store.append(what.id, write(b"x" * 200, 2, 204))
        await store.append(other.id, write(b"ok", 1, 2))
        assert store.unfinished[what.id].progress == Progress(1, 4)
        with pytest.raises(StoreError, match="gap"):
            await store.append(what.id, write(b"efgh", 3, 8))
        return Path((await store.finish(what.id)).place).read_bytes()[HEADER_BYTES:]
    assert run(lambda: FileStore(tmp_path, print), use) == b"abcd"


def test_a_disk_that_fails_to_sync_is_trusted_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    async def use(store: AudioStore) -> str:
        what = recording()
        await store.begin(what)
        await store.append(what.id, write(b"abcd", 1, 4))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
            with pytest.raises(StoreError, match="repair it"):
                await store.append(what.id, write(b"lost", 2, 8))
        with pytest.raises(StoreError, match="repair it"):
            await store.append(what.id, write(b"late", 2, 8))
        return what.id
    id = run(lambda: FileStore(tmp_path, told.append), use)
    assert found(tmp_path)[1][id] == b"abcd" and len(told) == 1


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    async def use(store: AudioStore) -> None:
        with pytest.raises(SettingError, match="another recorder uses"):
            FileStore(tmp_path, print)
    run(lambda: FileStore(tmp_path, print), use)
