"""From what a crash has left to recordings that go on.

The journal says what was acknowledged. What it says is written once more where it belongs, which changes nothing where
it is there already; what no record tells of was never acknowledged, and is cut off.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Callable

from .folder import Folder, in_file, remove, sync_path, write_all
from .interface import AUDIO, Progress, Recording, Unfinished
from .journal import Kind, Part, Record, Segment, read_begun, read_state
from .wav import HEADER_BYTES, read_header, write_header

Tell = Callable[[str], None]


class Recovery:
    """Runs once, before the store is used. Blocks."""

    def __init__(self, folder: Folder, tell: Tell) -> None:
        self._folder = folder
        self._tell = tell
        self._found: dict[str, Unfinished] = {}
        self._ended: set[str] = set()
        self._files: dict[tuple[str, int], int] = {}
        self.next_segment = 1

    def run(self) -> dict[str, Unfinished]:
        """Return the unfinished recordings, whose files are durable and have exactly the bytes that are said."""
        try:
            for number, path in self._folder.segments():
                self.next_segment = number + 1
                self._replay(path)
            for id in list(self._found):
                self._settle(id)
        finally:
            for descriptor in self._files.values():
                os.close(descriptor)
        self._adopt_strays()
        self._folder.sync()
        return self._found

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
            self._found.pop(id, None)
            self._ended.add(id)
        elif id in self._ended:
            pass  # what a segment says of it was said before its end
        elif record.kind is Kind.BEGUN:
            self._found.setdefault(id, Unfinished(read_begun(record)))
        elif record.kind is Kind.STATE:
            recording, lengths, damage = read_state(record)
            known = self._found.setdefault(id, Unfinished(recording, lengths, record.progress, damage))
            if known.progress.received <= record.progress.received:
                known.progress = record.progress
                known.lengths.update({key: max(length, known.length(key)) for key, length in lengths.items()})
        else:
            self._add(id, record)

    def _add(self, id: str, record: Record) -> None:
        if self._is_finished(id):
            return
        known = self._found.get(id)
        if known is None:
            known = self._found[id] = self._adopt(id)
        for part in record.parts:
            self._write(id, known, part)
        if record.progress.received >= known.progress.received:
            known.progress = record.progress

    def _write(self, id: str, known: Unfinished, part: Part) -> None:
        descriptor = self._open(id, part.stream)
        if part.offset > known.length(part.stream):
            missing = in_file(part.stream, part.offset) > os.fstat(descriptor).st_size
            known.damage = known.damage or ("a part was lost with a damaged journal, and is silent" if missing else
                                            "a part of the journal was damaged")
        write_all(descriptor, part.data, in_file(part.stream, part.offset))
        known.lengths[part.stream] = max(known.length(part.stream), part.offset + len(part.data))

    def _open(self, id: str, stream: int) -> int:
        if (id, stream) not in self._files:
            self._files[id, stream] = self._folder.open(id, stream)
        return self._files[id, stream]

    def _is_finished(self, id: str) -> bool:
        """It had its name already when the crash came: only the record of its end is missing."""
        return self._folder.wav(id).exists() and not self._folder.stream(id).exists()

    def _settle(self, id: str) -> None:
        known = self._found[id]
        if self._is_finished(id):
            del self._found[id]
            remove(self._folder.streams_of(id))
            return
        for stream in {AUDIO, *known.lengths}:
            descriptor = self._open(id, stream)
            size, wanted = os.fstat(descriptor).st_size, in_file(stream, known.length(stream))
            if size < wanted:
                known.damage = known.damage or "the end of a file was lost, and is silent"
            if size != wanted:
                os.ftruncate(descriptor, wanted)
            if stream == AUDIO:
                write_all(descriptor, write_header(known.recording.rate, known.recording.channels, None), 0)
            os.fsync(descriptor)

    def _adopt(self, id: str) -> Unfinished:
        """What is known of a recording whose beginning no journal tells of."""
        path = self._folder.stream(id)
        try:
            header = read_header(path.read_bytes()[:HEADER_BYTES])
        except (OSError, ValueError):
            header = None
        rate, channels = (header.rate, header.channels) if header else (44100, 1)
        damage = "" if header else "its rate and channels were lost, and are guessed"
        return Unfinished(Recording(id, rate, channels), damage=damage or "its beginning was not in the journal")

    def _adopt_strays(self) -> None:
        """Audio that no journal tells of is not thrown away; what is empty is, as it was never acknowledged."""
        for path in self._folder.work.glob("*.wav"):
            id = path.name.removesuffix(".wav")
            if id in self._found or not _is_uuid(id):
                continue
            size = path.stat().st_size - HEADER_BYTES
            if size <= 0 or id in self._ended:
                remove(self._folder.streams_of(id))
                continue
            known = self._adopt(id)
            known.lengths[AUDIO] = size - size % known.recording.frame_bytes
            known.progress = Progress(0, known.lengths[AUDIO])
            self._found[id] = known
            os.truncate(path, HEADER_BYTES + known.lengths[AUDIO])
            sync_path(path)
            self._tell(f"{path} is in no journal: it is taken in as a recording all the same, and marked as degraded")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
