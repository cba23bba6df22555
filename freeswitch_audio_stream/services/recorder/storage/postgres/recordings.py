"""Recordings in an object store: how far they are, and where their bytes are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Mapping, Sequence

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ..interface import AUDIO, Progress, Recording
from .database import Database

_NOW = "extract(epoch FROM clock_timestamp())::float8"
_COMMIT = text(f"""
    WITH step AS (
        SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:epochs AS bigint[]), CAST(:writes AS bigint[]),
                             CAST(:chunks AS bigint[]), CAST(:received AS bigint[]), CAST(:notes AS bytea[]),
                             CAST(:lengths AS text[]), CAST(:audio AS bigint[]))
            AS step(id, epoch, writes, chunks, received, note, lengths, audio)
    ), done AS (
        UPDATE recordings r SET writes = step.writes, chunks = step.chunks, received = step.received, note = step.note,
            lengths = step.lengths, audio_bytes = step.audio, updated = {_NOW}
        FROM step
        WHERE r.id = step.id AND r.epoch = step.epoch AND r.is_open AND r.writes = step.writes - 1 RETURNING r.id
    ), added AS (
        INSERT INTO segments
        SELECT part.* FROM unnest(CAST(:part_ids AS text[]), CAST(:streams AS integer[]), CAST(:begins AS bigint[]),
                                  CAST(:part_lengths AS bigint[]), CAST(:objects AS text[]),
                                  CAST(:offsets AS bigint[])) AS part(id, stream, begin, length, object, "offset")
        JOIN done ON done.id = part.id
    )
    SELECT id FROM done UNION
    SELECT r.id FROM recordings r JOIN step ON r.id = step.id AND r.epoch = step.epoch AND r.writes = step.writes""")
_SEGMENTS = text("""
    SELECT begin, length, object, "offset" FROM segments
    WHERE recording = :id AND stream = :stream AND begin < :end AND begin >= coalesce((
        SELECT max(begin) FROM segments WHERE recording = :id AND stream = :stream AND begin <= :begin), 0)
    ORDER BY begin LIMIT :most""")


@dataclass(frozen=True)
class Segment:
    """Bytes of a stream, and where they are: from an offset of an object on."""

    begin: int
    length: int
    object: str
    offset: int


@dataclass(frozen=True)
class Step:
    """How far a recording is after a round of writes, and what the round has added."""

    id: str
    epoch: int
    writes: int
    """Rounds of this recording, with this one."""
    progress: Progress
    lengths: Mapping[int, int]
    """Bytes, by stream."""
    segments: Sequence[tuple[int, Segment]]
    """Streams, and what is new of them."""


@dataclass(frozen=True)
class Known:
    """What there is to know of a recording without its bytes."""

    recording: Recording
    audio_bytes: int
    is_open: bool
    is_composed: bool


class Recordings:
    """For an event loop. All methods raise StoreError where the database is away."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database = database
        self._replica = replica

    async def begin(self, recording: Recording) -> None:
        """Add a recording, which this replica owns in epoch 1."""
        await self._database.execute(text(
            "INSERT INTO recordings VALUES (:id, :rate, :channels, :user, :format, :created, :created, :replica, 1, 0, "
            "0, 0, '', '{}', 0, true, false) ON CONFLICT DO NOTHING"), {**asdict(recording), "replica": self._replica})

    async def commit(self, steps: Sequence[Step]) -> set[str]:
        """Carry out what can be; return whose. The others have got another owner, or have been deleted."""
        parts = [(step.id, stream, segment) for step in steps for stream, segment in step.segments]
        rows = await self._database.execute(_COMMIT, {
            "ids": [step.id for step in steps], "epochs": [step.epoch for step in steps],
            "writes": [step.writes for step in steps], "chunks": [step.progress.chunks for step in steps],
            "received": [step.progress.received for step in steps], "notes": [step.progress.note for step in steps],
            "lengths": [orjson.dumps({str(key): size for key, size in step.lengths.items()}).decode()
                        for step in steps],
            "audio": [step.lengths.get(AUDIO, 0) for step in steps], "part_ids": [id for id, _, _ in parts],
            "streams": [stream for _, stream, _ in parts], "begins": [segment.begin for _, _, segment in parts],
            "part_lengths": [segment.length for _, _, segment in parts],
            "objects": [segment.object for _, _, segment in parts],
            "offsets": [segment.offset for _, _, segment in parts]})
        return {row.id for row in rows}

    async def finish(self, id: str, epoch: int) -> bool:
        """Let nothing be added any more; return False where another replica owns it, or it has been deleted.

        Half a sample at its end is left out.
        """
        rows = await self._database.execute(text(
            "UPDATE recordings SET is_open = false, audio_bytes = audio_bytes - audio_bytes % (2 * channels) "
            "WHERE id = :id AND epoch = :epoch RETURNING id"), {"id": id, "epoch": epoch})
        return bool(rows)

    async def known(self, id: str) -> Known | None:
        """Return what is known of a recording; None where there is none."""
        rows = await self._database.execute(text("SELECT * FROM recordings WHERE id = :id"), {"id": id})
        return next((Known(Recording(row.id, row.rate, row.channels, row.user, row.format, row.created),
                           row.audio_bytes, row.is_open, row.is_composed) for row in rows), None)

    async def segments(self, id: str, stream: int, begin: int, end: int, most: int) -> list[Segment]:
        """Return where the bytes of a stream from `begin` to `end` are, in their order, `most` segments at most."""
        rows = await self._database.execute(_SEGMENTS, {"id": id, "stream": stream, "begin": begin, "end": end,
                                                        "most": most})
        return [Segment(*row) for row in rows]

    async def join(self, id: str, stream: int, old: Sequence[Segment], new: Segment) -> bool:
        """Have one segment instead of several that follow each other; return False where they are there no more."""
        async def work(connection: AsyncConnection) -> bool:
            found = await connection.execute(text(
                "DELETE FROM segments WHERE recording = :id AND stream = :stream AND begin >= :begin AND begin < :end "
                "RETURNING object"), {"id": id, "stream": stream, "begin": new.begin, "end": new.begin + new.length})
            if {row.object for row in found} != {segment.object for segment in old}:
                await connection.rollback()
                return False
            await connection.execute(text("INSERT INTO segments VALUES (:id, :stream, :begin, :length, :object, "
                                          ":offset)"), {"id": id, "stream": stream, **asdict(new)})
            return True
        return await self._database.run(work)

    async def to_compose(self, age_seconds: float) -> list[str]:
        """Return finished recordings that have had no object for so long."""
        rows = await self._database.execute(text(
            f"SELECT id FROM recordings WHERE NOT is_open AND NOT is_composed AND updated < {_NOW} - :age LIMIT 1000"),
            {"age": age_seconds})
        return [row.id for row in rows]

    async def composed(self, id: str) -> set[str] | None:
        """Say that the recording is in an object of its own; return the objects that had its bytes before.

        None where it has been deleted.
        """
        async def work(connection: AsyncConnection) -> set[str] | None:
            found = await connection.execute(text("UPDATE recordings SET is_composed = true WHERE id = :id RETURNING "
                                                  "id"), {"id": id})
            return await self._let_go(connection, id) if found.first() else None
        return await self._database.run(work)

    async def delete(self, id: str) -> set[str]:
        """Forget a recording; return the objects that had its bytes."""
        async def work(connection: AsyncConnection) -> set[str]:
            objects = await self._let_go(connection, id)
            await connection.execute(text("DELETE FROM recordings WHERE id = :id"), {"id": id})
            return objects
        return await self._database.run(work)

    @staticmethod
    async def _let_go(connection: AsyncConnection, id: str) -> set[str]:
        found = await connection.execute(text("DELETE FROM segments WHERE recording = :id RETURNING object"),
                                         {"id": id})
        return {row.object for row in found}

    async def unused(self, objects: Sequence[str]) -> list[str]:
        """Return those of the objects that have no bytes of any recording."""
        rows = await self._database.execute(text(
            "SELECT object FROM unnest(CAST(:objects AS text[])) AS given(object) "
            "WHERE NOT EXISTS (SELECT 1 FROM segments WHERE segments.object = given.object)"),
            {"objects": list(objects)})
        return [row.object for row in rows]
