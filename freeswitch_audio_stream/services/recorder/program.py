"""``freeswitch-audio-stream recorder``: runs the service until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Sequence

from ...config import Environment, Options, add_options, parse_environment_file, resolve
from ...errors import AudioStreamError
from .formats.ffmpeg import is_there
from .service import RecorderService
from .settings import AUDIO, SERVICE, AudioSettings, ServiceSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; return the exit status."""
    options = _parser().parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        audio, service = _settings(options)
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
    parser = argparse.ArgumentParser(
        prog="freeswitch-audio-stream recorder",
        description="Records audio that is sent over WebSocket, and never loses what it has acknowledged.",
        epilog="example: freeswitch-audio-stream recorder --port 8000 --audio-storage-path recordings")
    parser.add_argument("--env-file", type=Path, metavar="FILE",
                        help="an environment file with settings (default: .env in this folder, where there is one)")
    for table in (SERVICE, AUDIO):
        add_options(parser, table)
    return parser


def _settings(options: argparse.Namespace) -> tuple[AudioSettings, ServiceSettings]:
    path = options.env_file or Path(".env")
    lines = {}
    if options.env_file or path.exists():
        lines = parse_environment_file(path.read_text(), str(path))
    sources: list[Any] = [Environment(lines, f"{{}} in {path}"), Environment(os.environ), Options(vars(options))]
    audio, complaints = resolve(AUDIO, sources, [SERVICE])
    service, more = resolve(SERVICE, sources, [AUDIO])
    for complaint in dict.fromkeys(complaints + more):
        _tell(complaint)
    if not is_there():
        _tell("there is no FFmpeg here (apt-get install ffmpeg): compressed audio will be refused, "
              "WAV of the session's format and raw samples not")
    return audio, service


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
