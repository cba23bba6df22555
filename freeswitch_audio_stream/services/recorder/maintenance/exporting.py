"""Recordings become files for others, each with a file of what there is to tell of it. The service may run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import AsyncIterator

from ....errors import AudioStreamError
from ..formats.encoder import ENCODINGS, Encoder
from ..storage.catalogue import SessionRow, Status
from ..storage.folder import sync_path
from ..storage.interface import Recording
from ..storage.wav import HEADER_BYTES
from ..http.answers import session_info

_PIECE_BYTES = 1 << 20
WAV = "wav"
FORMATS = (WAV, *ENCODINGS)


class ExportFailed(AudioStreamError):
    """A recording that cannot become a file: why."""


async def export(row: SessionRow, folder: Path, target: Path, kind: str) -> Path:
    """Write a finished recording and its ``.json`` to a folder, and return the file. Blocks. Raise ExportFailed, also
    where the file is there already: nothing is overwritten.
    """
    if row.status is Status.ACTIVE:
        raise ExportFailed(f"{row.id} is still being recorded: close it first")
    source = folder / f"{row.id}.wav"
    made = target / f"{row.id}.{WAV if kind == WAV else ENCODINGS[kind].suffix}"
    unfinished = made.with_name(made.name + ".part")
    try:
        if made.exists():
            raise ExportFailed(f"{made} is there already, and is not overwritten")
        await _write(row, source, unfinished, kind)
        sync_path(unfinished)
        unfinished.rename(made)
        made.with_suffix(".json").write_text(json.dumps(session_info(row, str(source)), indent=1) + "\n")
        sync_path(target)
    except OSError as error:
        raise ExportFailed(f"{row.id}: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return made


async def _write(row: SessionRow, source: Path, made: Path, kind: str) -> None:
    with open(made, "wb") as file:
        if kind == WAV:
            async for piece in _pieces(source, 0):
                file.write(piece)
            return
        encoder = Encoder(kind, Recording(row.id, row.rate, row.channels))
        try:
            await encoder.start()
            async for piece in encoder.pieces(_pieces(source, HEADER_BYTES)):
                file.write(piece)
        finally:
            encoder.end()


async def _pieces(path: Path, offset: int) -> AsyncIterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        while piece := os.pread(file.fileno(), _PIECE_BYTES, offset):
            yield piece
            offset += len(piece)
