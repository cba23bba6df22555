"""Files of others become finished recordings. The service may run meanwhile."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Iterator

from ....errors import AudioStreamError
from ..formats.ffmpeg import PROGRAM
from ..settings import CHANNELS, RATES
from ..storage.catalogue import Catalogue, SessionRow, Status
from ..storage.folder import Folder
from ..storage.interface import Recording
from ..storage.sealing.master_keys import MasterKeys
from ..storage.stream_file import new_file
from ..storage.wav import WavHeader, read_header
from .inspection import is_id

_HEAD_BYTES = 65_536
_PIECE_BYTES = 1 << 20


class ImportFailed(AudioStreamError):
    """A file that cannot become a recording: why."""


@dataclass(frozen=True)
class Wanted:
    """What the recordings are to be; 0 and "": what the file is, and says."""

    rate: int = 0
    channels: int = 0
    user: str = ""


async def import_file(path: Path, folder: Folder, keys: MasterKeys, catalogue: Catalogue, wanted: Wanted
                      ) -> SessionRow:
    """Make a recording of an audio file, and return it. Blocks. Raise ImportFailed.

    A file beside it with the same name and ``.json``, as the command export writes it, says whose recording it is, when
    it was made, and which id it had, which it gets again where no other has it.
    """
    told = _sidecar(path)
    id = str(told.get("session_id", ""))
    if not is_id(id) or folder.finished(id) is not None or await catalogue.get(id) is not None:
        id = str(uuid.uuid4())
    temporary = folder.work / f"import-{id}"
    try:
        temporary.unlink(missing_ok=True)
        recording, audio = _convert(path, temporary, id, wanted, keys)
        if not audio:
            raise ImportFailed(f"{path} has no audio")
        place = folder.take_in(id, temporary, bool(keys))
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    row = _row(recording, audio, place, told, path)
    await catalogue.put(replace(row, user=wanted.user or row.user))
    return row


def _row(recording: Recording, audio: int, place: Path, told: dict[str, Any], path: Path) -> SessionRow:
    closed = _seconds(told.get("closed_at")) or path.stat().st_mtime
    created = _seconds(told.get("created_at")) or closed - recording.seconds(audio)
    return SessionRow(recording.id, str(told.get("user_id") or ""), recording.rate, recording.channels, "wav",
                      Status.COMPLETED, created, time.time(), closed, int(told.get("chunk_count") or 0),
                      int(told.get("acked_bytes") or 0), audio, str(place), str(told.get("degraded") or ""))


def _sidecar(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _convert(path: Path, temporary: Path, id: str, wanted: Wanted, keys: MasterKeys) -> tuple[Recording, int]:
    """Write the recording's file, and return what it is, and its bytes of samples."""
    with open(path, "rb") as source:
        header = _header(source.read(_HEAD_BYTES))
        if header is not None and _fits(header, wanted):
            recording = Recording(id, header.rate, header.channels)
            source.seek(header.offset)
            samples = _pieces(source, header.data_bytes)
        else:
            recording = Recording(id, *_rate_and_channels(path, wanted))
            samples = _decode(path, recording)
        file = new_file(temporary, recording, keys)
        try:
            for piece in samples:
                file.write([piece])
            audio = file.length - file.length % recording.frame_bytes
            file.finish(audio)
        finally:
            file.close()
    return recording, audio


def _header(head: bytes) -> WavHeader | None:
    try:
        return read_header(head)
    except ValueError:
        return None


def _fits(header: WavHeader, wanted: Wanted) -> bool:
    return (header.is_pcm and header.bits == 16 and header.rate in RATES and header.channels in CHANNELS
            and wanted.rate in (0, header.rate) and wanted.channels in (0, header.channels))


def _pieces(source: BinaryIO, most: int | None) -> Iterator[bytes]:
    taken = 0
    while piece := source.read(_PIECE_BYTES if most is None else min(_PIECE_BYTES, most - taken)):
        yield piece
        taken += len(piece)


def _rate_and_channels(path: Path, wanted: Wanted) -> tuple[int, int]:
    """Return the wanted ones, or those of the file that come closest from above."""
    if wanted.rate and wanted.channels:
        return wanted.rate, wanted.channels
    probed = _run(["ffprobe", "-v", "error", "-protocol_whitelist", "file", "-select_streams", "a:0", "-show_entries",
                   "stream=sample_rate,channels", "-of", "json", f"file:{path.absolute()}"], path)
    streams = json.loads(probed or b"{}").get("streams") or []
    if not streams:
        raise ImportFailed(f"{path} is no audio that FFmpeg can read")
    rate, channels = int(streams[0]["sample_rate"]), int(streams[0]["channels"])
    return (wanted.rate or next((known for known in RATES if known >= rate), RATES[-1]),
            wanted.channels or min(channels, CHANNELS[-1]))


def _run(command: list[str], path: Path) -> bytes:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise ImportFailed(f"{path} needs the programs FFmpeg and ffprobe: apt-get install ffmpeg") from error
    except subprocess.CalledProcessError as error:
        raise ImportFailed(f"{path} cannot be read: {error.stderr.decode(errors='replace').strip()[-300:]}") from error


def _decode(path: Path, recording: Recording) -> Iterator[bytes]:
    command = [PROGRAM, "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe", "-i", f"file:{path.absolute()}",
               "-map", "0:a:0", "-f", "s16le", "-ar", str(recording.rate), "-ac", str(recording.channels), "pipe:1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield from _pieces(process.stdout, None)  # type: ignore[arg-type]
    if process.returncode:
        raise ImportFailed(f"{path} cannot be decoded to its end (exit status {process.returncode} of FFmpeg)")
