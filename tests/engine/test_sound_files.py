"""Files of audio appear whole or not at all, and never in place of another."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import pytest

from freeswitch_audio_stream.engine.conversation.playback.sound_files import SoundFiles, StreamFiles, explain

AUDIO = bytes(range(256)) * 64


@contextmanager
def full_at_4096() -> Iterator[None]:
    """No file can become longer, as on a disk that is almost full; not for longer than that, or the test's own report
    cannot be written either.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_part(tmp_path: Path) -> None:
    sounds = SoundFiles()
    with pytest.raises(OSError), full_at_4096():
        sounds.write(sounds.of_stream("call", "s"), str(tmp_path), AUDIO, "wav", None)
    assert list(tmp_path.iterdir()) == [] and not sounds.has("call")
    file = sounds.write(sounds.of_stream("call", "s"), str(tmp_path), AUDIO[:4096], "wav", None)
    assert file.read_bytes() == AUDIO[:4096]


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    sounds = SoundFiles()
    file = sounds.write(sounds.of_stream("call", "s"), str(tmp_path), AUDIO, "raw", 16000)
    assert list(tmp_path.iterdir()) == [file] and file.suffix == ".r16"
    sounds.remove("call")
    assert list(tmp_path.iterdir()) == []


def test_who_watches_the_folder_never_sees_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name comes to a file that is complete and closed."""
    seen: list[bytes] = []
    link = os.link

    def watched(source: Path, target: Path) -> None:
        assert list(tmp_path.glob("call_*")) == []
        link(source, target)
        seen.append(target.read_bytes())
    monkeypatch.setattr(os, "link", watched)
    sounds = SoundFiles()
    sounds.write(sounds.of_stream("call", "s"), str(tmp_path), AUDIO, "wav", None)
    assert seen == [AUDIO]


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "call_0.tmp.wav").write_text("mine")
    sounds = SoundFiles()
    file = sounds.write(sounds.of_stream("call", "s"), str(tmp_path), AUDIO, "wav", None)
    assert file.name == "call_1.tmp.wav" and file.read_bytes() == AUDIO
    assert (tmp_path / "call_0.tmp.wav").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["call_0.tmp.wav", "call_1.tmp.wav"]


def test_numbers_begin_at_0_with_each_stream_and_count_what_could_not_be_written(tmp_path: Path) -> None:
    """Servers count what they send."""
    sounds = SoundFiles()
    first, other, second = (sounds.of_stream("call", stream_id) for stream_id in ("s", "other", "s"))

    def write(owner: StreamFiles, audio: bytes) -> str:
        return sounds.write(owner, str(tmp_path), audio, "wav", None).name
    assert write(first, b"a") == "call_0.tmp.wav"
    with pytest.raises(OSError):
        sounds.write(first, str(tmp_path / "missing"), b"b", "wav", None)
    assert write(first, b"c") == "call_2.tmp.wav"
    # Another stream's are left alone; those of one before with the same id are replaced, but not by one before.
    assert write(other, b"d") == "call_1.tmp.wav"
    assert [write(second, b"e"), write(second, b"f"), write(second, b"g")] == [
        f"call_{number}.tmp.wav" for number in (0, 2, 3)]
    assert write(first, b"h") == "call_4.tmp.wav"
    contents = {path.name[5]: path.read_bytes() for path in tmp_path.iterdir()}
    assert contents == {"0": b"e", "1": b"d", "2": b"f", "3": b"g", "4": b"h"}
    sounds.remove("call")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number, remedy", [
    (errno.ENOSPC, "make room there"), (errno.EDQUOT, "make room there"), (errno.ENOENT, "create it"),
    (errno.EACCES, "let FreeSWITCH's user write there"), (errno.EROFS, "let FreeSWITCH's user write there"),
    (errno.EIO, "set temp_dir to a folder where FreeSWITCH may write")])
def test_errors_say_what_helps(number: int, remedy: str) -> None:
    text = explain(OSError(number, os.strerror(number)), "/some/folder")
    assert "/some/folder" in text and os.strerror(number) in text and remedy in text
