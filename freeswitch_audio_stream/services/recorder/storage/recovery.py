"""From what a crash has left to recordings that go on.

The journal says what was acknowledged. What it says is written once more where it belongs, which changes nothing where
it is there already; what no record tells of was never acknowledged, and is cut off.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterator

from ....errors import SettingError
from .folder import SEALED_SUFFIX, Folder, remove
from .interface import AUDIO, Progress, Recording, StoreError, Unfinished
from .journal import Kind, Part, Record, Segment, read_begun, read_key, read_state
from .sealing.layout import BLOCK_BYTES, whole_blocks
from .sealing.master_keys import Damaged, KeyMissing, MasterKeys, Purpose, RecordingKey, WrappedKey
from .sealing.reading import read_path_header
from .sealing.rewrapping import rewrap_unfinished
from .stream_file import StreamFile, open_stream
from .wav import HEADER_BYTES, read_header

Tell = Callable[[str], None]


@dataclass
class Recovered:
    """An unfinished recording, its key where it is sealed, and its files by stream."""

    unfinished: Unfinished
    key: RecordingKey | None = None
    files: dict[int, StreamFile] = field(default_factory=dict)

    def close(self) -> None:
        """Let go of its files."""
        for file in self.files.values():
            file.close()


class Recovery:
    """Runs once, before the store is used. Blocks."""

    def __init__(self, folder: Folder, keys: MasterKeys, tell: Tell) -> None:
        self._folder = folder
        self._master_keys = keys
        self._tell = tell
        self._keys: dict[str, RecordingKey] = {}
        self._found: dict[str, Recovered] = {}
        self._ended: set[str] = set()
        self.next_segment = 1

    def run(self) -> dict[str, Recovered]:
        """Return the unfinished recordings, whose files are durable and have exactly the bytes that are said. Raise
        SettingError where a master key is missing; nothing has been changed then.
        """
        try:
            self._keys = {id: self._unwrap(id, wrapped) for id, wrapped in self._wrapped_keys()}
            for number, path in self._folder.segments():
                self.next_segment = number + 1
                self._replay(path)
            for id in list(self._found):
                self._settle(id)
            self._adopt_strays()
            for id, found in self._found.items():
                self._rewrap(id, found)
            self._folder.sync()
        except BaseException:
            for found in self._found.values():
                found.close()
            raise
        return self._found

    def _wrapped_keys(self) -> Iterator[tuple[str, WrappedKey]]:
        """Of all recordings that are not finished, in the journal or not."""
        wrapped: dict[str, WrappedKey | None] = {}
        for _, path in self._folder.segments():
            for record in Segment(path.read_bytes()):
                if record.kind is Kind.ENDED:
                    wrapped[record.id] = None
                elif record.kind in (Kind.BEGUN, Kind.STATE) and wrapped.get(record.id, False) is not None:
                    key = read_key(record)
                    if key is not None:
                        wrapped[record.id] = key
        for path in self._folder.work.glob(f"*{SEALED_SUFFIX}"):
            if _is_uuid(path.stem) and path.stem not in wrapped:
                key = _key_of_file(path)
                if key is not None:
                    wrapped[path.stem] = key
        for id, key in wrapped.items():
            if key is not None and not self._is_finished(id):
                yield id, key

    def _unwrap(self, id: str, wrapped: WrappedKey) -> RecordingKey:
        try:
            return self._master_keys.unwrap(id, wrapped)
        except KeyMissing as error:
            raise SettingError(str(error)) from error

    def _replay(self, path: Path) -> None:
        segment = Segment(path.read_bytes())
        for record in segment:
            self._take(record)
        if segment.skipped:
            self._tell(f"{path} is damaged: {segment.skipped} bytes in the middle are no records; recordings that miss "
                       "something are marked as degraded")

    def _take(self, record: Record) -> None:
        id = record.id
        if record.kind is Kind.ENDED:
            found = self._found.pop(id, None)
            if found is not None:
                found.close()
            self._ended.add(id)
        elif id in self._ended:
            pass  # what a segment says of it was said before its end
        elif record.kind is Kind.BEGUN:
            self._found.setdefault(id, Recovered(Unfinished(read_begun(record)), self._keys.get(id)))
        elif record.kind is Kind.STATE:
            self._take_state(record)
        elif not self._is_finished(id):
            self._add(id, record)

    def _take_state(self, record: Record) -> None:
        recording, lengths, damage = read_state(record)
        known = self._found.setdefault(record.id, Recovered(Unfinished(recording, lengths, record.progress, damage),
                                                            self._keys.get(record.id))).unfinished
        if known.progress.received <= record.progress.received:
            known.progress = record.progress
            known.lengths.update({key: max(length, known.length(key)) for key, length in lengths.items()})

    def _add(self, id: str, record: Record) -> None:
        found = self._found.get(id)
        if found is None:
            found = self._found[id] = self._adopt(id)
        for part in record.parts:
            try:
                self._write(found, part, record.kind is Kind.SEALED)
            except Damaged:
                found.unfinished.damage = found.unfinished.damage or "a part of the journal cannot be opened"
        if record.progress.received >= found.unfinished.progress.received:
            found.unfinished.progress = record.progress

    def _write(self, found: Recovered, part: Part, is_sealed: bool) -> None:
        data, known = part.data, found.unfinished
        if is_sealed:
            if found.key is None:
                raise Damaged("its key was lost")
            data = found.key.open(Purpose.JOURNAL, part.stream, part.offset, data)
        is_missing = self._file(found, part.stream).restore(part.offset, data)
        if is_missing or part.offset > known.length(part.stream):
            known.damage = known.damage or ("a part was lost with a damaged journal, and is silent" if is_missing else
                                            "a part of the journal was damaged")
        known.lengths[part.stream] = max(known.length(part.stream), part.offset + len(data))

    def _file(self, found: Recovered, stream: int) -> StreamFile:
        if stream not in found.files:
            found.files[stream] = open_stream(self._folder, found.unfinished.recording, found.key, stream,
                                              found.unfinished.length(stream))
        return found.files[stream]

    def _is_finished(self, id: str) -> bool:
        """It had its name already when the crash came: only the record of its end is missing."""
        return self._folder.finished(id) is not None and not any(
            self._folder.stream(id, AUDIO, is_sealed).exists() for is_sealed in (False, True))

    def _settle(self, id: str) -> None:
        found = self._found[id]
        if self._is_finished(id):
            del self._found[id]
            found.close()
            remove(self._folder.streams_of(id))
            return
        known = found.unfinished
        for stream in {AUDIO, *known.lengths}:
            file = self._file(found, stream)
            if file.restore(known.length(stream), b""):
                known.damage = known.damage or "the end of a file was lost, and is silent"
            file.cut(known.length(stream))
            os.fsync(file.descriptor)

    def _adopt(self, id: str) -> Recovered:
        """What is known of a recording whose beginning no journal tells of."""
        key = self._keys.get(id)
        try:
            recording = _recording_of_file(self._folder.stream(id, AUDIO, key is not None), id, key)
        except (OSError, ValueError, StoreError):
            recording = None
        damage = ("its beginning was not in the journal" if recording is not None else
                  "its rate and channels were lost, and are guessed")
        return Recovered(Unfinished(recording or Recording(id, 44100, 1), damage=damage), key)

    def _adopt_strays(self) -> None:
        """Audio that no journal tells of is not thrown away; what is empty is, as it was never acknowledged."""
        for path in [*self._folder.work.glob("*.wav"), *self._folder.work.glob(f"*{SEALED_SUFFIX}")]:
            id = path.stem
            if id in self._found or not _is_uuid(id):
                continue
            key = self._keys.get(id)
            size = path.stat().st_size
            audio = whole_blocks(size) * BLOCK_BYTES if path.suffix == SEALED_SUFFIX else size - HEADER_BYTES
            if audio <= 0 or id in self._ended:
                remove(self._folder.streams_of(id))
            elif path.suffix == SEALED_SUFFIX and key is None:
                self._tell(f"{path} is in no journal, and its header is damaged: it is left as it is")
            else:
                self._take_in(id, audio)
                self._tell(f"{path} is in no journal: it is taken in all the same, and marked as degraded")

    def _take_in(self, id: str, audio: int) -> None:
        found = self._found[id] = self._adopt(id)
        known = found.unfinished
        known.lengths[AUDIO] = audio - audio % known.recording.frame_bytes
        known.progress = Progress(0, known.lengths[AUDIO])
        self._settle(id)

    def _rewrap(self, id: str, found: Recovered) -> None:
        """What is unfinished is sealed with the master key that is the first now."""
        if found.key is not None and found.key.wrapped.master != self._master_keys.first:
            found.key = self._master_keys.rewrap(id, found.key)
            rewrap_unfinished([file.path for file in found.files.values()], found.key)


def _key_of_file(path: Path) -> WrappedKey | None:
    with open(path, "rb", buffering=0) as file:
        try:
            return read_path_header(file.fileno()).wrapped
        except Damaged:
            return None


def _recording_of_file(path: Path, id: str, key: RecordingKey | None) -> Recording | None:
    with open(path, "rb", buffering=0) as file:
        if key is not None:
            return read_path_header(file.fileno()).recording(key)
        header = read_header(os.pread(file.fileno(), HEADER_BYTES, 0))
    return Recording(id, header.rate, header.channels) if header else None


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
