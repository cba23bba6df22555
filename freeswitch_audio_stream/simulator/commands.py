"""API commands of the embedded switch: those of its modules, and as many of its own as somebody puts in."""

from __future__ import annotations

import ctypes
from typing import Callable

from ..switch.constants import Status
from ..switch.layouts import StreamHandle
from .locks import C
from .modules import Modules


class Commands:
    """`of_the_switch` maps a name to what answers its arguments, on the thread of whoever runs the command."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self.of_the_switch: dict[str, Callable[[str], str]] = {}

    def run(self, name: str, arguments: str, session: int | None) -> str | None:
        """What a command answers; None where there is none of that name."""
        own = self.of_the_switch.get(name)
        return self._modules.command(name, arguments, session) if own is None else own(arguments)

    # The C functions

    def c_execute(self, name: bytes, arguments: bytes | None, session: int | None, stream: int) -> int:
        """``switch_api_execute``"""
        answer = self.run(name.decode(), (arguments or b"").decode(), session)
        text = "INVALID COMMAND!\n" if answer is None else answer
        self.c_write(stream, text.encode(), len(text.encode()))
        return Status.FALSE if answer is None else Status.SUCCESS

    def c_write_text(self, stream: int, form: bytes, text: bytes) -> int:
        """``switch_console_stream_write``, of one format: ``%s``."""
        return self.c_write(stream, text, len(text))

    def c_write(self, stream: int, data: bytes, size: int) -> int:
        """``switch_console_stream_raw_write``: the answer grows as it has to, and stays a C string."""
        handle = StreamHandle.from_address(stream)
        needed = handle.data_len + size + 1
        if needed > handle.data_size:
            handle.data_size = needed + handle.alloc_chunk
            handle.data = C.realloc(handle.data, handle.data_size)
        handle.end = handle.data + handle.data_len
        ctypes.memmove(handle.end, data[:size] + b"\0", size + 1)
        handle.data_len += size
        handle.end = handle.data + handle.data_len
        return Status.SUCCESS
