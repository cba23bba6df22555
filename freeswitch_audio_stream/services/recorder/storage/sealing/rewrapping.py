"""Another master key for a file: its header is written anew, into the slot that does not count. No audio is touched."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..folder import write_all
from .layout import pack_slot
from .master_keys import MasterKeys, RecordingKey, WrappedKey
from .reading import read_path_header


def rewrap_file(path: Path, keys: MasterKeys) -> bool:
    """Have a file's key wrapped by the first master key; return whether it was not. Durable on return. Blocks.

    Raise KeyMissing, Damaged, or OSError: the file is as it was then. May run beside a service, and beside another.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        header = read_path_header(descriptor)
        if header.wrapped.master == keys.first:
            return False
        put_key(descriptor, keys.rewrap(header.id, keys.unwrap(header.id, header.wrapped)).wrapped)
        return True
    finally:
        os.close(descriptor)


def put_key(descriptor: int, wrapped: WrappedKey) -> None:
    """Write a header with another wrapped key of the same recording, durably."""
    header = read_path_header(descriptor).rewrapped(wrapped)
    write_all(descriptor, pack_slot(header), header.place)
    os.fsync(descriptor)


def rewrap_unfinished(paths: list[Path], key: RecordingKey) -> None:
    """Have the files of an unfinished recording say what wraps their key now."""
    for path in paths:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            put_key(descriptor, key.wrapped)
        finally:
            os.close(descriptor)
