"""``freeswitch-audio-stream recorder``: runs the service until SIGINT or SIGTERM, or one of the commands."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import threading
from typing import Sequence

from ...errors import AudioStreamError
from .formats.ffmpeg import is_there
from .maintenance.commands import COMMANDS, run
from .options import add_settings, read_settings
from .service import RecorderService


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the service until SIGINT or SIGTERM, or a command; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        return run(given[0], given[1:])
    options = _parser().parse_args(given)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        audio, service = read_settings(options, _tell)
        if not is_there():
            _tell("there is no FFmpeg here (apt-get install ffmpeg): compressed audio will be refused, "
                  "WAV of the session's format and raw samples not")
        _raise_file_limit()
        recorder = RecorderService(audio, service, _tell)
        recorder.start()
    except (AudioStreamError, OSError) as error:
        print(f"The recorder cannot run: {error}", file=sys.stderr)
        return 1
    print(f"listening on {recorder.url}", flush=True)
    ended.wait()
    return 0 if recorder.stop() else 1


def _parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<8} {command.summary}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="freeswitch-audio-stream recorder", formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [OPTIONS]\n       %(prog)s COMMAND [OPTIONS]",
        description="Records audio that is sent over WebSocket, and never loses what it has acknowledged.",
        epilog=f"commands (each with --help):\n{commands}\n\n"
               "example: freeswitch-audio-stream recorder --port 8000 --audio-storage-path recordings")
    add_settings(parser)
    return parser


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
