"""API commands of the switch, its own and those of its modules, as a client of ``fs_cli`` would run them."""

from __future__ import annotations

import ctypes

from ..errors import SwitchError
from .layouts import StreamHandle
from .library import Library
from .text import decode, encode

_CHUNK_BYTES = 1024
_NOT_THERE = "INVALID COMMAND!"


def execute(library: Library, command: str, arguments: str) -> str:
    """Run `command` and answer what it wrote, as text without blanks at its ends.

    Any thread of ours; it blocks as long as the command does (``originate``: until the call is answered). The switch
    tells `arguments` to the listeners of its API events: no secrets. Raise SwitchError where there is no such command.
    """
    memory = library.malloc(_CHUNK_BYTES)
    if not memory:
        raise SwitchError("the switch is out of memory")
    ctypes.memset(memory, 0, _CHUNK_BYTES)
    # What SWITCH_STANDARD_STREAM makes; the write functions enlarge the memory.
    handle = StreamHandle(write_function=library.address("switch_console_stream_write"),
                          raw_write_function=library.address("switch_console_stream_raw_write"), data=memory,
                          end=memory, data_size=_CHUNK_BYTES, alloc_len=_CHUNK_BYTES, alloc_chunk=_CHUNK_BYTES)
    try:
        library.switch_api_execute(encode(command), encode(arguments), None, handle)
        answer = decode(ctypes.string_at(handle.data)).strip()
    finally:
        library.free(handle.data)
    if answer == _NOT_THERE:
        raise SwitchError(f"FreeSWITCH has no command {command}: load the module that it belongs to")
    return answer
