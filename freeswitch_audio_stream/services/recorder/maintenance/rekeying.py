"""Has the keys of recordings wrapped by the first master key, so that others are needed no more. Touches no audio; the
service may run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from ....errors import SettingError
from ..storage.file_store import FileStore
from ..storage.finished import is_sealed
from ..storage.folder import Folder
from ..storage.interface import StoreError
from ..storage.sealing.master_keys import MasterKeys
from ..storage.sealing.rewrapping import rewrap_file
from .inspection import recordings


async def rekey(path: Path, keys: MasterKeys, say: Callable[[str], None]) -> int:
    """Say what was done, and return how many recordings could not be rewrapped. Blocks. Raise SettingError."""
    if not keys:
        raise SettingError("there are no master keys: give them, the new one first (RECORDER_MASTER_KEY_FILE)")
    if Folder.is_in_use(path):
        say("the service is running: what is unfinished is rewrapped when it is started with the new master key")
    else:
        await FileStore(path, say, keys=keys).close()  # which rewraps what is unfinished
    done = left = 0
    for id, file in recordings(path):
        if not is_sealed(file):
            continue
        try:
            done += rewrap_file(file, keys)
        except FileNotFoundError:
            continue  # it has just been deleted
        except (OSError, StoreError) as error:
            say(f"{id}: {error}")
            left += 1
    say(f"{done} recordings are sealed with the master key '{keys.first}' now" + (
        f"; {left} could not be, and need theirs still" if left else ""))
    return left
