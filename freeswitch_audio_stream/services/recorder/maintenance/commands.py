"""``freeswitch-audio-stream recorder verify``, ``repair``, ``import``, ``export`` and ``rekey``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import AsyncIterator, Awaitable, Callable, Sequence

from ....errors import AudioStreamError
from ..options import add_settings, read_settings
from ..settings import CHANNELS, RATES
from ..storage.catalogue import Catalogue, SessionFilter, SessionRow, Status
from ..storage.folder import Folder
from ..storage.sealing.master_keys import MasterKeys, read_master_keys
from ..storage.sqlite import SqliteCatalogue
from .exporting import FORMATS, WAV, export
from .importing import Wanted, import_file
from .inspection import all_rows
from .rekeying import rekey
from .repair import repair
from .verify import CATALOGUE, verify


@dataclass(frozen=True)
class Command:
    """What a first argument does."""

    summary: str
    example: str
    carry_out: Callable[[Path, MasterKeys, argparse.Namespace], Awaitable[int]]
    """Gets the folder of the recordings and the master keys; returns the exit status."""
    add_options: Callable[[argparse.ArgumentParser], object] = lambda parser: None


def run(name: str, arguments: Sequence[str]) -> int:
    """Carry out a command; return its exit status: 0 when all is well, 1 when something is wrong."""
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"freeswitch-audio-stream recorder {name}", description=command.summary,
                                     epilog=f"example: freeswitch-audio-stream recorder {name} {command.example}")
    command.add_options(parser)
    add_settings(parser)
    options = parser.parse_args(arguments)
    try:
        audio, service = read_settings(options, _tell)
        keys = read_master_keys(service.master_keys, service.master_key_file, _tell)
        return asyncio.run(_carry_out(command, Path(audio.audio_storage_path), keys, options))
    except (AudioStreamError, OSError) as error:
        print(f"recorder {name}: {error}", file=sys.stderr)
        return 1


async def _carry_out(command: Command, path: Path, keys: MasterKeys, options: argparse.Namespace) -> int:
    return await command.carry_out(path, keys, options)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


async def _verify(path: Path, keys: MasterKeys, options: argparse.Namespace) -> int:
    return 1 if await verify(path, keys, print) else 0


async def _repair(path: Path, keys: MasterKeys, options: argparse.Namespace) -> int:
    return 1 if await repair(path, keys, print) else 0


async def _rekey(path: Path, keys: MasterKeys, options: argparse.Namespace) -> int:
    return 1 if await rekey(path, keys, print) else 0


async def _import(path: Path, keys: MasterKeys, options: argparse.Namespace) -> int:
    folder = Folder(path, exclusive=False)
    catalogue = SqliteCatalogue(path / CATALOGUE)
    status = 0
    try:
        for file in options.files:
            try:
                row = await import_file(file, folder, keys, catalogue,
                                        Wanted(options.rate, options.wanted_channels, options.user))
            except AudioStreamError as error:
                print(error, file=sys.stderr)
                status = 1
            else:
                print(f"{file}: {row.id}")
    finally:
        await catalogue.close()
    return status


async def _export(path: Path, keys: MasterKeys, options: argparse.Namespace) -> int:
    if bool(options.ids) == options.all:
        print("recorder export: name sessions, or --all", file=sys.stderr)
        return 1
    options.to.mkdir(parents=True, exist_ok=True)
    folder = Folder(path, exclusive=False)
    catalogue = SqliteCatalogue(path / CATALOGUE, read_only=True)
    status = 0
    try:
        async for row in _chosen(catalogue, options):
            try:
                if isinstance(row, str):
                    raise AudioStreamError(f"there is no session {row}")
                print(await export(row, folder, keys, options.to, options.kind))
            except AudioStreamError as error:
                print(error, file=sys.stderr)
                status = 1
    finally:
        await catalogue.close()
    return status


async def _chosen(catalogue: Catalogue, options: argparse.Namespace) -> AsyncIterator[SessionRow | str]:
    """The sessions that are asked for; ids of those that there are not."""
    if options.all:
        async for row in all_rows(catalogue, SessionFilter(options.user or None)):
            if row.status is not Status.ACTIVE:
                yield row
    for id in options.ids:
        yield await catalogue.get(id.lower()) or id


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE",
                        help="WAV, or whatever FFmpeg reads; FILE.json beside it, as export writes it, is read as well")
    parser.add_argument("--user", default="", help="whose recordings they are (default: what FILE.json says)")
    parser.add_argument("--rate", type=int, default=0, choices=RATES, help="in Hz (default: the file's)")
    parser.add_argument("--to-channels", dest="wanted_channels", type=int, default=0, choices=CHANNELS,
                        help="1 or 2 (default: as the file has)")


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="SESSION_ID")
    parser.add_argument("--all", action="store_true", help="all sessions that have ended")
    parser.add_argument("--user", default="", help="with --all: only this user's")
    parser.add_argument("--to", type=Path, default=Path("."), metavar="FOLDER", help="where to (default: this folder)")
    parser.add_argument("--as", dest="kind", default=WAV, choices=FORMATS, help="what (default: wav)")


COMMANDS = {
    "verify": Command("checks every recording, and changes nothing", "--audio-storage-path recordings", _verify),
    "repair": Command("makes right what verify finds, and makes a damaged catalogue anew; the service must not run",
                      "--audio-storage-path recordings", _repair),
    "import": Command("makes recordings of audio files", "--audio-storage-path recordings --user alice old/*.wav",
                      _import, _import_options),
    "export": Command("writes recordings to files, with what there is to tell of them",
                      "--audio-storage-path recordings --all --as opus --to backup", _export, _export_options),
    "rekey": Command("has the first master key wrap the keys of all encrypted recordings, whose audio stays as it is",
                     "--audio-storage-path recordings --master-key-file keys", _rekey),
}
