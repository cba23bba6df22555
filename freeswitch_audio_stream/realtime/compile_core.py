"""``python -m freeswitch_audio_stream.realtime.compile_core``: compile the core into a folder of compiled code.

Without arguments, into the one that scripts/install fills, and away with what older versions have left there. The
module runs it with arguments, see `compile_process`.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from ..threads import start_thread

if TYPE_CHECKING:
    from ..native.code_cache import CodeFolder

_STACK_BYTES = 64 << 20  # the limit that a process has from FreeSWITCH, 240 KiB, is too little for LLVM
_NICENESS = 10


class _Refusal(Exception):
    """Why it cannot be done, in a sentence."""


def _compile(options: argparse.Namespace) -> str:
    """What was done."""
    from ..native import code_cache
    if options.key not in (None, code_cache.KEY):
        raise _Refusal("another version has been installed since FreeSWITCH was started: restart FreeSWITCH")
    given: Path | None = options.folder
    folder = code_cache.CodeFolder(given, frozenset((os.getuid(),))) if given else code_cache.installed()
    if folder is None:
        raise _Refusal("this is for an installation by scripts/install: there is no virtual environment here")
    folder.path.parent.mkdir(exist_ok=True)
    # One at a time: whoever comes second finds the work done.
    with open(folder.path.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        if not folder.is_complete():
            _fill(folder)
        folder.remove_others() if given else folder.remove_others(unused_seconds=0)
    return f"compiled in {time.monotonic() - began:.1f} s"


def _fill(folder: CodeFolder) -> None:
    from ..native import code_cache
    folder.clean()
    used = any(folder.path.glob("*"))
    code_cache.use(folder)
    try:
        from . import core  # noqa: F401  (it is compiled by being imported)
    except Exception:
        if not used:
            raise
        # Perhaps it is what an earlier attempt has left, half written when the power failed.
        folder.remove()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    folder.seal(code_cache.parts())


def _run(options: argparse.Namespace, failures: list[str]) -> None:
    try:
        print(_compile(options))
    except _Refusal as refusal:
        failures.append(str(refusal))
    except BaseException as error:
        traceback.print_exc()
        failures.append(f"{type(error).__name__}: {error}")


def _end_with_standard_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def main() -> int:
    """The exit status: 1, and a last line that says why, where the code could not be compiled."""
    parser = argparse.ArgumentParser(prog="compile_core", description="Compile the core into a folder.")
    parser.add_argument("--folder", type=Path, help="default: that of an installation by scripts/install")
    parser.add_argument("--key", help="refuse to compile for any other")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    os.umask(0o077 if options.folder else 0o022)  # one's own, or for FreeSWITCH's user to read
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # FreeSWITCH may run at real-time priority
    os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    if options.until_eof:
        start_thread("audio-stream-parent", _end_with_standard_input)
    failures: list[str] = []
    start_thread("audio-stream-compile", _run, options, failures, stack_bytes=_STACK_BYTES).join()
    print(*failures, sep="\n", end="", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
