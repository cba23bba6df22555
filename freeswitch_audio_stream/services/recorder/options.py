"""Options and environment files, for the service and for the commands that look after its recordings."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Callable

from ...config import Environment, Options, add_options, parse_environment_file, resolve
from .settings import AUDIO, SERVICE, AudioSettings, ServiceSettings


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Give a parser an option for each setting, and one for the file of settings."""
    parser.add_argument("--env-file", type=Path, metavar="FILE",
                        help="an environment file with settings (default: .env in this folder, where there is one)")
    for table in (SERVICE, AUDIO):
        add_options(parser, table)


def read_settings(options: argparse.Namespace, tell: Callable[[str], None]) -> tuple[AudioSettings, ServiceSettings]:
    """Return the settings that are given by file, environment and options, each before those that follow; raise
    SettingError, or OSError for a file that cannot be read. `tell` gets what is passed over.
    """
    path = options.env_file or Path(".env")
    lines = {}
    if options.env_file or path.exists():
        lines = parse_environment_file(path.read_text(), str(path))
    sources: list[Any] = [Environment(lines, f"{{}} in {path}"), Environment(os.environ), Options(vars(options))]
    audio, complaints = resolve(AUDIO, sources, [SERVICE])
    service, more = resolve(SERVICE, sources, [AUDIO])
    for complaint in dict.fromkeys(complaints + more):
        tell(complaint)
    return audio, service
