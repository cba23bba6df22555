"""``recorder``: live sessions of three kinds on one process, and its share of what a bare sink stores and syncs."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ..errors import BenchError
from ..gateway.servers import allow_many_connections
from ..recorder.servers import Load, RecorderProcess, SinkProcess
from ..report import goals
from ..report.results import Results, Table
from ..report.statistics import compare
from .trial import progress

HASTY_CLIENTS = 32
HASTY_CHUNK = 19_200
"""Bytes: 100 ms of 48 kHz in stereo."""
SHARE = 0.5


@dataclass(frozen=True)
class Kind:
    """Live sessions of one kind."""

    name: str
    sessions: int
    query: str
    chunk: int
    """Bytes; of compressed audio what `period` has."""
    period: float
    """Seconds."""
    is_flac: bool = False


def kinds(scale: float) -> tuple[Kind, ...]:
    """Return what is measured, `scale` times as many sessions of each as is usual."""
    def many(count: int) -> int:
        return max(1, round(count * scale))
    return (Kind("48 kHz stereo, PCM", many(100), "sample_rate=48000&channels=2", 19_200, 0.1),
            Kind("48 kHz stereo, FLAC", many(30), "sample_rate=48000&channels=2&format=flac", 0, 0.1, True),
            Kind("telephone, 8 kHz, PCM", many(500), "sample_rate=8000", 4096, 0.256))


def measure(scale: float, seconds: float, rounds: int, sync: str, warm: float = 2.0) -> Results:
    """Measure live sessions of each kind, then the recorder and the bare sink by turns."""
    allow_many_connections()
    results = Results("recorder", [])
    table = Table("Live sessions, one process", ("", "sessions", "answer p50 ms", "p99 ms", "longest ms", "MB/s",
                                                 "cores", "MiB", "KiB/session"))
    failed: list[str] = []
    with Load() as load, tempfile.TemporaryDirectory(prefix="audio-stream-bench-") as folder:
        for number, kind in enumerate(kinds(scale)):
            found = _live(load, kind, Path(folder) / str(number), seconds, warm, sync)
            if found is None:
                table.notes.append(f"{kind.name}: left out, because there is no FFmpeg here")
                continue
            results.rounds.append({"work": kind.name, **found})
            failed += found["failed"]
            table.rows.append((kind.name, kind.sessions, *found["answer_ms"], found["bytes"] / 1e6, found["cpu"],
                               found["resident_mib"], found["kib_per_session"]))
            table.notes.append(f"{kind.name}: {found['sent']} chunks sent, {found['answers']} answered; FFmpeg: "
                               f"{found['cpu'] - found['own_cpu']:.2f} cores; the load: {found['load_cpu']:.2f} cores, "
                               f"{found['late_ms']:.0f} ms late at most")
        results.tables.append(table)
        ours, bare = _by_turns(load, Path(folder), seconds / 2, rounds, warm / 2, sync, results)
    results.tables += [_share_table(ours, bare, sync), goals.table(_goals(failed, ours, bare))]
    return results


def _live(load: Load, kind: Kind, folder: Path, seconds: float, warm: float, sync: str) -> dict[str, Any] | None:
    folder.mkdir()
    chunk, file = kind.chunk, ""
    if kind.is_flac:
        if shutil.which("ffmpeg") is None:
            return None
        lasts = seconds + warm + 10
        file = str(folder / "load.flac")
        chunk = int(_make_flac(Path(file), lasts) / lasts * kind.period)
    with RecorderProcess(folder, sync) as recorder:
        progress(f"{kind.sessions} sessions, {kind.name}, for {seconds:g} s")
        found = load.put_on(recorder, kind="live", query=kind.query, clients=kind.sessions, chunk=chunk,
                            period=kind.period, file=file, warm=warm, seconds=seconds)
    if not found["answers"]:
        raise BenchError(f"the recorder has acknowledged nothing: {found['failed'] or 'it has said nothing'}")
    shutil.rmtree(folder)
    return found


def _make_flac(file: Path, seconds: float) -> int:
    """Write so many seconds of 48 kHz in stereo, about as hard to compress as speech; return its bytes."""
    source = f"anoisesrc=r=48000:c=pink:a=0.3:d={seconds}"
    done = subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-ac", "2", "-c:a", "flac",
                           "-compression_level", "0", str(file)], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"FFmpeg cannot make the FLAC file: {done.stderr}")
    return file.stat().st_size


def _by_turns(load: Load, folder: Path, seconds: float, rounds: int, warm: float, sync: str, results: Results
              ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []
    for number in range(rounds):
        for name, found in (("recorder", ours), ("bare sink", bare)):
            progress(f"round {number + 1} of {rounds}: {name}, {HASTY_CLIENTS} clients as fast as answered")
            place = folder / f"{name}-{number}"
            place.mkdir()
            with RecorderProcess(place, sync) if name == "recorder" else SinkProcess(place) as server:
                found.append(load.put_on(server, kind="hasty", query="sample_rate=48000&channels=2", period=0.0,
                                         clients=HASTY_CLIENTS, chunk=HASTY_CHUNK, warm=warm, seconds=seconds))
            shutil.rmtree(place)
            results.rounds.append({"work": name, **found[-1]})
    return ours, bare


def _share_table(ours: list[dict[str, Any]], bare: list[dict[str, Any]], sync: str) -> Table:
    table = Table(f"{HASTY_CLIENTS} clients, {HASTY_CHUNK} bytes a chunk, as fast as they are answered",
                  ("", "MB/s", "answer p50 ms", "p99 ms", "cores", "the load's cores"))
    for name, found in ((f"recorder, sync {sync}", ours), ("bare sink, which writes once, and syncs", bare)):
        table.rows.append((name, median(each["bytes"] for each in found) / 1e6,
                           *(median(each["answer_ms"][index] for each in found) for index in (0, 1)),
                           median(each["cpu"] for each in found), median(each["load_cpu"] for each in found)))
    table.notes.append("both answer a chunk when it is on disk; the recorder writes it to its journal and to its file")
    return table


def _goals(failed: list[str], ours: list[dict[str, Any]], bare: list[dict[str, Any]]) -> list[goals.Goal]:
    share = compare([each["bytes"] for each in ours], [each["bytes"] for each in bare]).ratio
    return [goals.Goal("bytes/s / the bare sink's", share, SHARE, least=True),
            goals.Goal("live sessions that failed", len(failed), 0)]
