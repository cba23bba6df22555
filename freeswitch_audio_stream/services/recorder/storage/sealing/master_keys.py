"""Master keys, and the keys of recordings, which they wrap. Everything is sealed by AES-256-GCM.

What is sealed begins with its nonce, which is random, so nothing has to be remembered for none to be used twice: not of
a block that is sealed again as it has grown, nor over a crash. A key of a recording seals its blocks and what the
journal has of it, far fewer than the 2³² times up to which random nonces are good (NIST SP 800-38D, section 8.3).
"""

from __future__ import annotations

import base64
import binascii
import enum
import os
import re
import struct
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .....errors import SettingError
from ..interface import StoreError

KEY_BYTES = 32
_NONCE_BYTES = 12
OVERHEAD = _NONCE_BYTES + 16
"""Bytes that sealing adds: nonce and tag."""
ENTRY = r"[A-Za-z0-9._-]{1,64}:[A-Za-z0-9+/]{43}="
"""An id, and 32 bytes in base64."""
_ABOUT = struct.Struct("<16sBHQ")


class Purpose(enum.IntEnum):
    """What is sealed; nothing passes for something else."""

    BLOCK = 0
    LAST_BLOCK = 1
    JOURNAL = 2
    ABOUT = 3


class KeyMissing(StoreError):
    """The master key of a recording is not there, or is another one with the same id."""


class Damaged(StoreError):
    """What is sealed is not as it was written."""


@dataclass(frozen=True)
class WrappedKey:
    """The key of a recording as it is stored."""

    master: str
    """The id of the master key that wraps it."""
    sealed: bytes = field(repr=False)


class RecordingKey:
    """The key of one recording. Any thread."""

    def __init__(self, id: str, secret: bytes, wrapped: WrappedKey) -> None:
        self.wrapped = wrapped
        self.secret = secret
        self._id = uuid.UUID(id).bytes
        self._cipher = AESGCM(secret)

    def seal(self, purpose: Purpose, stream: int, place: int, data: bytes) -> bytes:
        """Return data sealed for its place in a stream."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, _ABOUT.pack(self._id, purpose, stream, place))

    def open(self, purpose: Purpose, stream: int, place: int, sealed: bytes) -> bytes:
        """Return what was sealed for that place; raise Damaged."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:],
                                        _ABOUT.pack(self._id, purpose, stream, place))
        except (InvalidTag, ValueError) as error:
            raise Damaged("it is sealed, and is not as it was written") from error


class MasterKeys:
    """Those that are given; the first one is for new recordings. Any thread."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def first(self) -> str:
        """The id of the one that is for new recordings."""
        return next(iter(self._keys))

    def new(self, id: str) -> RecordingKey:
        """Return a new key for a recording."""
        return self._wrap(id, os.urandom(KEY_BYTES))

    def rewrap(self, id: str, key: RecordingKey) -> RecordingKey:
        """Return the key of a recording as the first master key wraps it."""
        return self._wrap(id, key.secret)

    def unwrap(self, id: str, wrapped: WrappedKey) -> RecordingKey:
        """Return the key of a recording; raise KeyMissing."""
        if wrapped.master not in self._keys:
            raise KeyMissing(f"the recording {id} is sealed with the master key '{wrapped.master}', which is not among "
                             "those given: give it as well (RECORDER_MASTER_KEY_FILE); nothing is lost")
        try:
            secret = AESGCM(self._keys[wrapped.master]).decrypt(
                wrapped.sealed[:_NONCE_BYTES], wrapped.sealed[_NONCE_BYTES:], _about_wrapping(id, wrapped.master))
        except (InvalidTag, ValueError) as error:
            raise KeyMissing(f"the master key '{wrapped.master}' is not the one that the recording {id} was sealed "
                             "with: give the right one under that id (RECORDER_MASTER_KEY_FILE); nothing is lost"
                             ) from error
        return RecordingKey(id, secret, wrapped)

    def _wrap(self, id: str, secret: bytes) -> RecordingKey:
        nonce, master = os.urandom(_NONCE_BYTES), self.first
        sealed = AESGCM(self._keys[master]).encrypt(nonce, secret, _about_wrapping(id, master))
        return RecordingKey(id, secret, WrappedKey(master, nonce + sealed))


def _about_wrapping(id: str, master: str) -> bytes:
    return b"key of a recording " + uuid.UUID(id).bytes + master.encode()


NO_KEYS = MasterKeys({})


def read_master_keys(texts: str, path: str, tell: Callable[[str], None]) -> MasterKeys:
    """Return the master keys of a setting, blanks between them, or of a file, one a line; raise SettingError, which
    shows none. `tell` gets that others can read the file.
    """
    if not path:
        return MasterKeys(_keys(texts.split(), "RECORDER_MASTER_KEYS"))
    if texts:
        raise SettingError("master keys are given twice: set either RECORDER_MASTER_KEYS or RECORDER_MASTER_KEY_FILE")
    try:
        lines = Path(path).read_text().splitlines()
        if os.stat(path).st_mode & 0o007:
            tell(f"everybody on this machine can read the master keys in {path}: chmod 600 {path}")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"the master keys in {path} cannot be read "
                           f"({getattr(error, 'strerror', None) or 'it is no text'}): name a file that the service's "
                           "user can read (RECORDER_MASTER_KEY_FILE)") from error
    keys = _keys((line for line in map(str.strip, lines) if line and not line.startswith("#")), path)
    if not keys:
        raise SettingError(f"there are no master keys in {path}: write a line there, an id, a colon, and 32 random "
                           "bytes in base64 (openssl rand -base64 32)")
    return MasterKeys(keys)


def _keys(entries: Iterable[str], place: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(entries, 1):
        id, _, text = entry.partition(":")
        try:
            secret = base64.b64decode(text, validate=True) if re.fullmatch(ENTRY, entry) else b""
        except binascii.Error:
            secret = b""
        if len(secret) != KEY_BYTES or id in keys:
            raise SettingError(f"master key {number} in {place} cannot be used: it is an id that no other has, a "
                               "colon, and 32 random bytes in base64 (openssl rand -base64 32)")
        keys[id] = secret
    return keys
