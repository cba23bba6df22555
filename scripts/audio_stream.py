"""Brings freeswitch_audio_stream into FreeSWITCH: the script for mod_python3, put into its script folder by
scripts/install.

    startup-script "audio_stream", `pyrun audio_stream`    load the module; nothing if it is loaded already
    `python audio_stream`                                  the same, and answer how it went
    `python audio_stream <command>`                        what `uuid_audio_stream <command>` does

mod_python3 imports a script and at once reloads it, and reloads it again for every use. It runs it on threads
with 240 KiB of stack and sets a recursion limit of 240 for the whole interpreter, too little for what has to
be imported. So this file may be run at any time and as often as one likes, and a thread of its own does the
work.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

SITE_PACKAGES = ""  # where the package and what it needs are; scripts/install writes it here

if SITE_PACKAGES and SITE_PACKAGES not in sys.path:
    sys.path.insert(0, SITE_PACKAGES)

_STACK_BYTES = 16 << 20
_RECURSION_LIMIT = 5000

# A reload runs this file again in the namespace it had: the lock has to stay the one that somebody may hold.
_limit_lock = globals().setdefault("_limit_lock", threading.Lock())


def runtime(arguments: str) -> None:
    """What startup-script and `pyrun` call."""
    _start_loading([])


def fsapi(session: Any, stream: Any, environment: Any, arguments: str) -> None:
    """What the API command `python` calls."""
    if arguments.strip():
        stream.write(_execute(arguments))
        return
    answer: list[str] = []
    thread = _start_loading(answer)
    if thread is not None:
        thread.join()
    stream.write("".join(answer))


def handler(session: Any, arguments: str) -> None:
    """What the dialplan application `python` calls."""
    session.setVariable("uuid_audio_stream_result", _execute(arguments))


def _start_loading(answer: list[str]) -> threading.Thread | None:
    """Load the module on a thread of its own, which appends its answer; None if there is no thread."""
    try:
        from freeswitch_audio_stream.threads import start_thread
        return start_thread("audio-stream-load", _load, answer, stack_bytes=_STACK_BYTES)
    except Exception as error:
        answer.append(_failure(error))
        return None


def _load(answer: list[str]) -> None:
    with _limit_lock:
        limit = sys.getrecursionlimit()
        # It is a setting of the interpreter, so what other scripts do meanwhile has it too: they are few, and
        # none is known to need the limit. Compiling needs more than the 240.
        sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
        try:
            from freeswitch_audio_stream import loader
            answer.append("+OK " + loader.load())
        except Exception as error:
            answer.append(_failure(error))
        finally:
            sys.setrecursionlimit(limit)


def _failure(error: Exception) -> str:
    """Log why the module is not there, once and in one line; the answer for a command."""
    names = {base.__name__ for base in type(error).__mro__}
    if "LoadingEnded" in names:  # by somebody who knows; and FreeSWITCH, shutting down, may have no log any more
        return f"-ERR {error}"
    ours = "AudioStreamError" in names
    version = "%d.%d" % sys.version_info[:2]
    reason = str(error) if ours else f"{type(error).__name__}: {error}"
    if SITE_PACKAGES and f"python{version}" not in SITE_PACKAGES:
        reason = f"this is Python {version}, and {SITE_PACKAGES} is for another: run scripts/install again"
    elif isinstance(error, ImportError):
        reason = f"{error} (Python {version}, {SITE_PACKAGES or 'its packages'}): run scripts/install again"
    line = " ".join(f"mod_audio_stream is not loaded: {reason}".split())
    _log("err", line)
    return "-ERR " + line


def _log(level: str, line: str) -> None:
    import freeswitch  # mod_python3's own; it is there when a script runs
    freeswitch.consoleLog(level, line + "\n")


def _execute(command: str) -> str:
    # Nothing is imported here: this may be a thread with a small stack.
    execute = getattr(sys.modules.get("freeswitch_audio_stream.loader"), "execute", None)
    return str(execute(command)) if execute else "-ERR mod_audio_stream is not loaded: pyrun audio_stream"
