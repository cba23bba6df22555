"""Recordings become files for others, each with a file of what there is to tell of it. The service may run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import AsyncIterator

from ....errors import AudioStreamError
from ..formats.encoder import ENCODINGS, Encoder
from ..storage.catalogue import SessionRow, Status
from ..storage.finished import FinishedRecording, open_finished, pieces
from ..storage.folder import Folder, sync_path
from ..storage.interface import Recording, StoreError
from ..storage.sealing.master_keys import MasterKeys
from ..storage.wav import write_header
from ..http.answers import session_info

WAV = "wav"
FORMATS = (WAV, *ENCODINGS)


class ExportFailed(AudioStreamError):
    """A recording that cannot become a file: why."""


async def export(row: SessionRow, folder: Folder, keys: MasterKeys, target: Path, kind: str) -> Path:
    """Write a finished recording and its ``.json`` to a folder, and return the file. Blocks. Raise ExportFailed, also
    where the file is there already: nothing is overwritten.
    """
    if row.status is Status.ACTIVE:
        raise ExportFailed(f"{row.id} is still being recorded: close it first")
    source = folder.finished(row.id) or folder.place(row.id, False)
    made = target / f"{row.id}.{WAV if kind == WAV else ENCODINGS[kind].suffix}"
    unfinished = made.with_name(made.name + ".part")
    try:
        if made.exists():
            raise ExportFailed(f"{made} is there already, and is not overwritten")
        await _write(row, open_finished(source, keys), unfinished, kind)
        sync_path(unfinished)
        unfinished.rename(made)
        made.with_suffix(".json").write_text(json.dumps(session_info(row, str(source)), indent=1) + "\n")
        sync_path(target)
    except (OSError, StoreError) as error:
        raise ExportFailed(f"{row.id}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return made


async def _write(row: SessionRow, source: FinishedRecording, made: Path, kind: str) -> None:
    recording = Recording(row.id, row.rate, row.channels)
    try:
        with open(made, "wb") as file:
            if kind == WAV:
                file.write(write_header(recording.rate, recording.channels, source.audio_bytes))
                file.writelines(pieces(source))
                return
            encoder = Encoder(kind, recording)
            try:
                await encoder.start()
                async for piece in encoder.pieces(_in_turn(source)):
                    file.write(piece)
            finally:
                encoder.end()
    finally:
        source.close()


async def _in_turn(source: FinishedRecording) -> AsyncIterator[bytes]:
    for piece in pieces(source):
        yield piece
