"""An object store: bytes by name. S3 and what speaks it, by obstore."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, AsyncIterator, Iterable, Iterator

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from .....errors import SettingError
from ..interface import Interrupted, UnknownRecording

_PATIENCE = timedelta(seconds=20)
"""How long a request is tried again."""
_PART_BYTES = 8 << 20
_DELETED_AT_ONCE = 1000


class ObjectsAway(Interrupted):
    """The object store does not answer, or refuses: what it says."""


class Objects:
    """One bucket, or a part of it. On the event loop, which it does not block; all methods raise ObjectsAway."""

    def __init__(self, url: str, endpoint: str = "") -> None:
        """`url` is such as ``s3://bucket/prefix``. Keys and region are taken from the variables that all programs for
        S3 know (AWS_ACCESS_KEY_ID and so on), or from the machine's role; `endpoint` is where an S3 server is that is
        not Amazon's. Connects to nothing yet. Raise SettingError.
        """
        self.url = url.rstrip("/")
        options: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
        try:
            self._store = from_url(self.url, client_options={"allow_http": endpoint.startswith("http://")},
                                   retry_config={"retry_timeout": _PATIENCE, "max_retries": 10}, **options)
        except (BaseError, ValueError) as error:
            raise SettingError(f"the store {url} cannot be used: {_first_line(error)}") from error

    def place(self, name: str) -> str:
        """Return the URL of an object."""
        return f"{self.url}/{name}"

    async def put(self, name: str, data: bytes) -> None:
        """Store an object; on return it is durable."""
        with _translated():
            await obstore.put_async(self._store, name, data, use_multipart=len(data) > _PART_BYTES)

    async def read(self, name: str, begin: int, length: int) -> bytes:
        """Return bytes of an object; raise UnknownRecording where there is none."""
        with _translated():
            return bytes(await obstore.get_range_async(self._store, name, start=begin, length=length))

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """Return all bytes of an object, as they come; raise UnknownRecording where there is none."""
        with _translated():
            found = await obstore.get_async(self._store, name)

        async def pieces() -> AsyncIterator[bytes]:
            with _translated():
                async for piece in found.stream():
                    yield bytes(piece)
        return pieces()

    async def write(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Store an object of many pieces; it is there when all of it is durable, and not before."""
        with _translated():
            async with obstore.open_writer_async(self._store, name, buffer_size=_PART_BYTES) as writer:
                async for piece in pieces:
                    await writer.write(piece)

    async def delete(self, names: Iterable[str]) -> None:
        """Remove objects; those that are not there are no error."""
        left = list(names)
        while left:
            with _translated():
                try:
                    await obstore.delete_async(self._store, left[:_DELETED_AT_ONCE])
                except FileNotFoundError:
                    pass
            del left[:_DELETED_AT_ONCE]

    async def names(self, prefix: str) -> AsyncIterator[tuple[str, datetime]]:
        """Yield the names of objects, and when they were stored."""
        with _translated():
            async for page in obstore.list(self._store, prefix):
                for found in page:
                    yield found["path"], found["last_modified"]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UnknownRecording(f"the object store has no such object ({_first_line(error)})") from error
    except (BaseError, OSError, ValueError) as error:
        raise ObjectsAway(f"the object store does not do it ({_first_line(error)}): look after it; nothing that was "
                          "acknowledged is lost") from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
