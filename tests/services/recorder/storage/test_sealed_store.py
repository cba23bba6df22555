"""What is sealed: nothing of it can be read without the master key, and nothing of it is lost by a crash."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.errors import SettingError
from freeswitch_audio_stream.services.recorder.storage.file_store import FileStore
from freeswitch_audio_stream.services.recorder.storage.finished import open_finished
from freeswitch_audio_stream.services.recorder.storage.interface import Recording, StorageFull, StoreError
from freeswitch_audio_stream.services.recorder.storage.sealing.layout import (BLOCK_BYTES, HEADER_BYTES, SEALED_BYTES,
                                                                              SLOT_BYTES, block_place)
from freeswitch_audio_stream.services.recorder.storage.sealing.master_keys import (Damaged, KeyMissing, MasterKeys,
                                                                                   read_master_keys)
from freeswitch_audio_stream.services.recorder.storage.sealing.rewrapping import rewrap_file
from freeswitch_audio_stream.services.recorder.storage.segments import Policy

from .test_store import crash, recording, write

OLD, NEW = b"o" * 32, b"n" * 32
KEYS = MasterKeys({"old": OLD})
ROTATED = MasterKeys({"new": NEW, "old": OLD})


def fill(folder: Path, parts: list[bytes], policy: Policy = Policy(), keys: MasterKeys = KEYS) -> Recording:
    """A store that has crashed behind these parts."""
    async def main() -> Recording:
        store, what, received = FileStore(folder, print, policy, keys), recording(), 0
        await store.begin(what)
        for number, part in enumerate(parts):
            received += len(part)
            await store.append(what.id, write(part, number + 1, received))
        crash(store)
        return what
    return asyncio.run(main())


def found(folder: Path, keys: MasterKeys = KEYS) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What is unfinished after the next start, and its samples."""
    async def main() -> tuple[dict[str, Any], dict[str, bytes]]:
        store = FileStore(folder, lambda text: None, keys=keys)
        samples = {id: await store.read(id, 0, 1 << 20) for id in store.unfinished}
        unfinished = dict(store.unfinished)
        await store.close()
        return unfinished, samples
    return asyncio.run(main())


def finish(folder: Path, id: str, keys: MasterKeys = KEYS) -> Path:
    async def main() -> Path:
        store = FileStore(folder, print, keys=keys)
        try:
            return Path((await store.finish(id)).place)
        finally:
            await store.close()
    return asyncio.run(main())


def samples_of(path: Path, keys: MasterKeys = KEYS) -> bytes:
    opened = open_finished(path, keys)
    try:
        return opened.read(0, opened.audio_bytes)
    finally:
        opened.close()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_nothing_on_disk_can_be_read_without_the_key(tmp_path: Path) -> None:
    parts = [b"a secret that was told on the telephone " * count for count in (1, 500, 3)]
    what = fill(tmp_path, parts)
    assert b"secret" not in everything(tmp_path) and b"alice" in everything(tmp_path)  # whose it is, is in the journal
    place = finish(tmp_path, what.id)
    assert place.suffix == ".sealed" and samples_of(place) == b"".join(parts)
    assert b"secret" not in everything(tmp_path) and OLD not in everything(tmp_path)


@pytest.mark.parametrize("size", [0, 2, BLOCK_BYTES - 2, BLOCK_BYTES, BLOCK_BYTES + 2, 5 * BLOCK_BYTES])
def test_it_is_read_from_any_place(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    what = fill(tmp_path, [data] if size else [])
    assert found(tmp_path)[1] == {what.id: data}
    opened = open_finished(finish(tmp_path, what.id), KEYS)
    assert opened.audio_bytes == size
    for offset in (0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, max(0, size - 3), size, size + 9):
        for most in (0, 1, 100, BLOCK_BYTES, 1 << 20):
            assert opened.read(offset, most) == data[offset:offset + most]
    opened.close()


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(lost=st.integers(0, 60_000), kept=st.integers(0, 60_000))
def test_a_torn_end_loses_nothing_before_it(tmp_path_factory: pytest.TempPathFactory, lost: int, kept: int) -> None:
    folder = tmp_path_factory.mktemp("torn")
    parts = [bytes([65 + number]) * 7000 for number in range(8)]
    what = fill(folder, parts)
    journal = max((folder / "unfinished").glob("journal-*"))
    whole = journal.read_bytes()
    journal.write_bytes(whole[:max(len(whole) - lost, len(whole) - 56_500)])
    file = folder / "unfinished" / f"{what.id}.sealed"
    file.write_bytes(file.read_bytes()[:kept])  # whatever the kernel had not written yet
    unfinished, samples = found(folder)
    assert b"".join(parts).startswith(samples[what.id]) and len(samples[what.id]) % 7000 == 0
    assert unfinished[what.id].progress.received == len(samples[what.id]) >= 7000 * (8 - -(-lost // 7000))
    assert not unfinished[what.id].damage and found(folder)[1] == samples


def test_segments_take_along_what_is_not_in_the_file_yet(tmp_path: Path) -> None:
    parts = [os.urandom(size) for size in (500, 30_000, 700, 16_384, 4000) for _ in range(12)]
    what = fill(tmp_path, parts, Policy(segment_bytes=40_000))
    unfinished, samples = found(tmp_path)
    assert samples == {what.id: b"".join(parts)} and not unfinished[what.id].damage
    assert samples_of(finish(tmp_path, what.id)) == b"".join(parts)


def test_what_could_not_be_stored_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwritev

    async def main() -> bytes:
        store, what = FileStore(tmp_path, print, keys=KEYS), recording()
        await store.begin(what)
        await store.append(what.id, write(b"abcd" * 5000, 1, 20_000))

        def pwritev(descriptor: int, buffers: list[bytes], offset: int) -> int:
            if os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2].startswith("journal"):
                raise OSError(28, "No space left on device")
            return real(descriptor, buffers, offset)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", pwritev)
            with pytest.raises(StorageFull):
                await store.append(what.id, write(b"wxyz" * 9000, 2, 56_000))
        assert await store.read(what.id, 16_000, 9000) == b"abcd" * 1000
        with pytest.raises(StoreError, match="gap"):
            await store.append(what.id, write(b"late", 3, 56_004))
        place = Path((await store.finish(what.id)).place)
        await store.close()
        return samples_of(place)
    assert asyncio.run(main()) == b"abcd" * 5000


def test_audio_without_a_journal_is_taken_in(tmp_path: Path) -> None:
    what = fill(tmp_path, [b"abcd" * 10_000])
    max((tmp_path / "unfinished").glob("journal-*")).unlink()
    unfinished, samples = found(tmp_path)
    assert samples == {what.id: (b"abcd" * 10_000)[:2 * BLOCK_BYTES]}  # whole blocks; the journal had the rest
    assert unfinished[what.id].recording == what and unfinished[what.id].damage


def test_a_crash_between_name_and_record_of_the_end(tmp_path: Path) -> None:
    what = fill(tmp_path, [b"abcd"])
    os.rename(tmp_path / "unfinished" / f"{what.id}.sealed", tmp_path / f"{what.id}.sealed")
    assert found(tmp_path, MasterKeys({}))[0] == {} and not list((tmp_path / "unfinished").glob(f"{what.id}*"))


def test_a_block_is_never_sealed_with_a_nonce_twice(tmp_path: Path) -> None:
    nonces = []
    for number in range(3):  # a crash makes the same blocks be sealed again
        folder = tmp_path / str(number)
        if number:
            shutil.copytree(tmp_path / "0", folder)
            found(folder)
        else:
            what = fill(folder, [bytes(5 * BLOCK_BYTES)])
        data = (folder / "unfinished" / f"{what.id}.sealed").read_bytes()
        nonces += [data[block_place(index):][:12] for index in range((len(data) - HEADER_BYTES) // SEALED_BYTES)]
    assert len(nonces) == len(set(nonces)) == 15


@pytest.mark.parametrize("keys", [MasterKeys({}), MasterKeys({"other": NEW}), MasterKeys({"old": NEW})])
def test_a_missing_or_wrong_key_is_named_and_loses_nothing(tmp_path: Path, keys: MasterKeys) -> None:
    parts = [b"abcd" * 10_000]
    what, other = fill(tmp_path, parts), recording()
    before = everything(tmp_path)
    with pytest.raises(SettingError, match="'old'.*nothing is lost"):
        FileStore(tmp_path, print, keys=keys)
    assert everything(tmp_path) == before
    finish(tmp_path, what.id)

    async def use() -> None:
        store = FileStore(tmp_path, print, keys=keys)  # nothing is unfinished: others can be recorded
        await store.begin(other)
        with pytest.raises(KeyMissing, match="'old'.*nothing is lost"):
            await store.read(what.id, 0, 4)
        assert (await store.stored(what.id)).audio_bytes == 40_000
        await store.delete(other.id)
        await store.close()
    asyncio.run(use())
    assert samples_of(tmp_path / f"{what.id}.sealed") == b"".join(parts)


def test_sealed_and_plain_recordings_are_read_side_by_side(tmp_path: Path) -> None:
    plain = fill(tmp_path, [b"plain!"], keys=MasterKeys({}))
    sealed = fill(tmp_path, [b"sealed"])
    assert found(tmp_path)[1] == {plain.id: b"plain!", sealed.id: b"sealed"}
    assert finish(tmp_path, plain.id).suffix == ".wav"
    assert samples_of(finish(tmp_path, sealed.id)) == b"sealed"


def test_damage_is_told_and_costs_what_it_hit(tmp_path: Path) -> None:
    data = os.urandom(4 * BLOCK_BYTES + 100)
    path = finish(tmp_path, fill(tmp_path, [data]).id)
    damaged = bytearray(path.read_bytes())
    damaged[block_place(1) + 50] ^= 1
    path.write_bytes(damaged)
    opened = open_finished(path, KEYS)
    assert opened.read(0, BLOCK_BYTES) == data[:BLOCK_BYTES]
    assert opened.read(2 * BLOCK_BYTES, 1 << 20) == data[2 * BLOCK_BYTES:]
    with pytest.raises(Damaged):
        opened.read(BLOCK_BYTES + 1, 1)
    opened.close()
    path.write_bytes(bytes(damaged[:block_place(1)]) + damaged[block_place(2):])  # one is taken out
    opened = open_finished(path, KEYS)
    with pytest.raises(Damaged):
        opened.read(BLOCK_BYTES, 1)
    opened.close()


def test_another_master_key_touches_no_audio_and_may_crash(tmp_path: Path) -> None:
    path = finish(tmp_path, fill(tmp_path, [b"abcd" * 10_000]).id)
    before = path.read_bytes()
    assert rewrap_file(path, ROTATED) and not rewrap_file(path, ROTATED)
    after = path.read_bytes()
    assert after[HEADER_BYTES:] == before[HEADER_BYTES:] and after[:SLOT_BYTES] == before[:SLOT_BYTES]
    assert samples_of(path, MasterKeys({"new": NEW})) == b"abcd" * 10_000
    torn = after[:SLOT_BYTES + 100] + before[SLOT_BYTES + 100:]
    path.write_bytes(torn)  # the machine has crashed while it was written
    assert samples_of(path, KEYS) == b"abcd" * 10_000
    assert rewrap_file(path, ROTATED) and samples_of(path, MasterKeys({"new": NEW})) == b"abcd" * 10_000


def test_what_is_unfinished_is_rewrapped_at_the_next_start(tmp_path: Path) -> None:
    what = fill(tmp_path, [b"abcd" * 10_000])
    assert found(tmp_path, ROTATED)[1] == found(tmp_path, MasterKeys({"new": NEW}))[1] == {what.id: b"abcd" * 10_000}
    max((tmp_path / "unfinished").glob("journal-*")).unlink()
    assert found(tmp_path, MasterKeys({"new": NEW}))[0]  # the file says so as well


KEY = "b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28="


def test_master_keys_of_a_file(tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "keys"
    file.write_text(f"# of 2026\n\nold:{KEY}\n")
    file.chmod(0o644)
    assert read_master_keys("", str(file), told.append).first == "old" and "chmod 600" in told[0]
    file.chmod(0o600)
    assert read_master_keys("", str(file), told.append).first == "old" and len(told) == 1
    assert read_master_keys(f" a:{KEY} b:{KEY[:-2]}0=", "", told.append).first == "a"
    assert not read_master_keys("", "", told.append)


@pytest.mark.parametrize("line", ["", "id", f"{KEY}", "id:short=", f"id:{KEY}{KEY}", f"a b:{KEY}",
                                  f"id:{KEY}\nid:{KEY}"])
def test_master_keys_that_cannot_be_used_are_not_shown(tmp_path: Path, line: str) -> None:
    file = tmp_path / "keys"
    file.write_text(line)
    with pytest.raises(SettingError, match="openssl rand") as raised:
        read_master_keys("", str(file), print)
    assert KEY not in str(raised.value)
    with pytest.raises(SettingError, match="twice"):
        read_master_keys(f"id:{KEY}", str(file), print)
    with pytest.raises(SettingError, match="cannot be read"):
        read_master_keys("", str(tmp_path / "none"), print)
