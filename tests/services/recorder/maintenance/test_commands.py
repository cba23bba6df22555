"""verify, repair, import and export, as an operator runs them, on folders that are well and that are damaged."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Callable

import pytest
from websockets.sync.client import connect

from freeswitch_audio_stream.services.recorder.program import main
from freeswitch_audio_stream.services.recorder.storage.catalogue import SessionRow, Status
from freeswitch_audio_stream.services.recorder.storage.file_store import FileStore
from freeswitch_audio_stream.services.recorder.storage.interface import Progress, Recording, Write
from freeswitch_audio_stream.services.recorder.storage.sqlite import SqliteCatalogue
from freeswitch_audio_stream.services.recorder.storage.wav import HEADER_BYTES, write_header

from ..service import Recorder
from ..test_clients import make_wav, read_wav
from ..test_endpoints import answer, close

pytestmark = pytest.mark.slow

IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(5)]
SAMPLES = bytes(range(256)) * 50
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no FFmpeg here: apt-get install ffmpeg")

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status of a command on the folder of the test, and all that it has said."""
    def run(*arguments: str) -> tuple[int, str]:
        status = main([*arguments, "--audio-storage-path", str(tmp_path / "store")])
        said = capsys.readouterr()
        return status, said.out + said.err
    return run


def fill(folder: Path, count: int = 3, unfinished: int = 0) -> None:
    """As the service does it: recordings that are finished, and some that are not."""
    async def main() -> None:
        store, catalogue = FileStore(folder, print), SqliteCatalogue(folder / "catalogue.sqlite")
        for number, id in enumerate(IDS[:count]):
            await store.begin(Recording(id, 8000, 2, "alice", created=1000.0))
            await store.append(id, Write(((0, SAMPLES),), Progress(7, len(SAMPLES))))
            if number < count - unfinished:
                place = (await store.finish(id)).place
                await catalogue.put(SessionRow(id, "alice", 8000, 2, "wav", Status.COMPLETED, 1000.0, 1001.0, 1001.0, 7,
                                               len(SAMPLES), len(SAMPLES), place))
        await store.close()
        await catalogue.close()
    asyncio.run(main())


def rows(folder: Path) -> dict[str, SessionRow]:
    async def main() -> dict[str, SessionRow]:
        catalogue = SqliteCatalogue(folder / "catalogue.sqlite", read_only=True)
        found = {id: await catalogue.get(id) for id in IDS}
        await catalogue.close()
        return {id: row for id, row in found.items() if row is not None}
    return asyncio.run(main())


def test_all_is_well(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / "store", unfinished=1)
    assert run("verify") == (0, "2 finished recordings checked, no problems\n")
    assert run("repair") == (0, f"{IDS[2]}: unfinished; it goes on when the service is started\n")


def test_no_folder(run: Run, tmp_path: Path) -> None:
    status, said = run("verify")
    assert status == 1 and "there are no recordings in" in said and not (tmp_path / "store").exists()


def _cut(file: Path) -> None:
    os.truncate(file, HEADER_BYTES + 4001)


def _overwrite(file: Path) -> None:
    with open(file, "r+b") as opened:
        opened.write(os.urandom(40))


@pytest.mark.parametrize("damage, words, remaining", [
    (_cut, "does not say what the file holds", 4000), (_overwrite, "does not begin as a recording does", len(SAMPLES))])
def test_a_damaged_file(run: Run, tmp_path: Path, damage: Callable[[Path], None], words: str, remaining: int) -> None:
    fill(tmp_path / "store")
    file = tmp_path / "store" / f"{IDS[1]}.wav"
    damage(file)
    status, said = run("verify")
    assert status == 1 and f"{IDS[1]}: " in said and words in said and IDS[0] not in said
    status, said = run("repair")
    assert status == 0 and "the header was written anew" in said
    assert read_wav(str(file)) == (8000, 2, SAMPLES[:remaining])
    assert run("verify")[0] == 0
    row = rows(tmp_path / "store")[IDS[1]]
    assert (row.user, row.audio_bytes, row.status) == ("alice", remaining, Status.COMPLETED)


def test_a_file_of_others_is_left_alone(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / "store")
    strange = tmp_path / "store" / f"{IDS[4]}.wav"
    make_wav(strange, 8000, 1, 100)
    before = strange.read_bytes()
    for command in ("verify", "repair"):
        status, said = run(command)
        assert status == 1 and IDS[4] in said
    assert "import it" in said and strange.read_bytes() == before


def test_files_without_sessions_and_sessions_without_files(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / "store")
    (tmp_path / "store" / f"{IDS[0]}.wav").unlink()
    (tmp_path / "store" / f"{IDS[3]}.wav").write_bytes(write_header(16000, 1, 6) + b"abcdef")
    status, said = run("verify")
    assert status == 1 and f"{IDS[0]}: the catalogue knows it" in said and f"{IDS[3]}: the catalogue does not" in said
    assert run("repair")[0] == 0
    found = rows(tmp_path / "store")
    assert found[IDS[0]].status is Status.ERROR and found[IDS[0]].error == "the file of the recording is gone"
    assert (found[IDS[3]].rate, found[IDS[3]].audio_bytes, found[IDS[3]].status) == (16000, 6, Status.COMPLETED)
    assert run("verify")[0] == 0


@pytest.mark.parametrize("damage", ["no file", "no database", "a part"])
def test_a_damaged_catalogue_is_made_anew(run: Run, tmp_path: Path, damage: str) -> None:
    fill(tmp_path / "store")
    file = tmp_path / "store" / "catalogue.sqlite"
    if damage == "no file":
        file.unlink()
    elif damage == "no database":
        file.write_bytes(b"no database" * 1000)
    else:
        with open(file, "r+b") as opened:
            opened.seek(4096)
            opened.write(bytes(3 * 4096))
    status, said = run("verify")
    assert status == 1 and "catalogue" in said
    assert run("repair")[0] == 0
    assert {id: row.audio_bytes for id, row in rows(tmp_path / "store").items()} == dict.fromkeys(IDS[:3], len(SAMPLES))
    assert run("verify")[0] == 0
    assert (damage == "no file") != any((tmp_path / "store").glob("catalogue.sqlite.damaged-*"))


def test_a_damaged_journal_is_told_of(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / "store", unfinished=2)
    journal = next((tmp_path / "store" / "unfinished").glob("journal-*"))
    damaged = bytearray(journal.read_bytes())
    damaged[damaged.index(SAMPLES[:100]) + 7] ^= 1
    journal.write_bytes(damaged)
    status, said = run("verify")
    assert status == 1 and "the journal" in said and "damaged" in said


def test_beside_a_running_service(run: Run, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    recorder = Recorder(tmp_path / "store")
    with connect(recorder.ws("?user_id=alice")) as connection:
        id = answer(connection)["session_id"]
        connection.send(SAMPLES)
        answer(connection)
        status, said = run("verify")
        assert status == 0 and "the service is running" in said
        status, said = run("repair")
        assert status == 1 and "another recorder uses" in said
        status, said = run("export", id, "--to", str(tmp_path / "out"))
        assert status == 1 and "still being recorded" in said
        samples = make_wav(tmp_path / "old.wav", 16000, 1, 1000)
        status, said = run("import", str(tmp_path / "old.wav"), "--user", "bob")
        assert status == 0
        imported = recorder.json(f"/api/audio/sessions/{said.split()[-1]}")
        assert (imported["user_id"], imported["sample_rate"]) == ("bob", 16000)
        assert recorder.request(f"/api/audio/sessions/{imported['session_id']}/audio")[1][HEADER_BYTES:] == samples
        close(connection)
    recorder.stop()
    assert run("verify")[0] == 0


def test_what_is_exported_is_imported_as_it_was(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / "store")
    before = rows(tmp_path / "store")
    assert run("export", "--all", "--to", str(tmp_path / "out"))[0] == 0
    status, said = run("export", IDS[0], IDS[4], "--to", str(tmp_path / "out"))
    assert status == 1 and "not overwritten" in said and f"there is no session {IDS[4]}" in said
    shutil.rmtree(tmp_path / "store")
    assert run("import", *map(str, sorted((tmp_path / "out").glob("*.wav"))))[0] == 0
    for id, row in rows(tmp_path / "store").items():
        assert (row.user, row.created, row.closed, row.chunks, row.audio_bytes, row.place) == (
            "alice", before[id].created, before[id].closed, 7, len(SAMPLES), str(tmp_path / "store" / f"{id}.wav"))
        assert read_wav(row.place) == (8000, 2, SAMPLES)
    assert len(rows(tmp_path / "store")) == 3 and run("verify")[0] == 0


@needs_ffmpeg
@pytest.mark.parametrize("kind, suffix", [("mp3", "mp3"), ("flac", "flac"), ("opus", "opus")])
def test_compressed_out_and_in(run: Run, tmp_path: Path, kind: str, suffix: str) -> None:
    fill(tmp_path / "store", 1)
    assert run("export", IDS[0], "--as", kind, "--to", str(tmp_path / "out"))[0] == 0
    made = tmp_path / "out" / f"{IDS[0]}.{suffix}"
    assert json.loads(made.with_suffix(".json").read_text())["user_id"] == "alice"
    status, said = run("import", str(made))
    assert status == 0 and said.split()[-1] != IDS[0]  # that one is there
    rate, channels, samples = read_wav(str(tmp_path / "store" / f"{said.split()[-1]}.wav"))
    assert channels == 2 and rate == (48000 if kind == "opus" else 8000)
    assert abs(len(samples) / rate / 4 - len(SAMPLES) / 8000 / 4) < 0.3
    assert (samples == SAMPLES) == (kind == "flac")
    assert run("verify")[0] == 0


@needs_ffmpeg
def test_what_is_no_audio_is_not_imported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio" * 100)
    make_wav(tmp_path / "good.wav", 11025, 2, 1102)
    status, said = run("import", str(tmp_path / "text.wav"), str(tmp_path / "none.mp3"), str(tmp_path / "good.wav"))
    assert status == 1 and "text.wav cannot be read" in said and "none.mp3" in said
    rate, channels, samples = read_wav(str(next((tmp_path / "store").glob("*.wav"))))
    assert (rate, channels) == (16000, 2) and abs(len(samples) - 6400) < 200
    assert list((tmp_path / "store" / "unfinished").iterdir()) == []


def test_what_an_interrupted_import_has_left_is_removed(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / "store", 1)
    left = tmp_path / "store" / "unfinished" / f"import-{IDS[2]}"
    left.write_bytes(b"RIFF")
    status, said = run("repair")
    assert status == 0 and "interrupted" in said and not left.exists()


def test_the_program_says_what_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in ("verify", "repair", "import", "export"))
