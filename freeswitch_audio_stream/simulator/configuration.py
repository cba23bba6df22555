"""Configuration files of the embedded switch: a name and its XML text."""

from __future__ import annotations

import ctypes
import itertools
from typing import Callable

from .locks import C


class Configuration:
    """`files` maps a name such as ``audio_stream.conf`` to XML text; handles stand for opened documents."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._open: dict[int, str] = {}
        self._numbers = itertools.count(1)

    def c_open(self, file: bytes, node: int, parameters: int | None) -> int:
        """``switch_xml_open_cfg``"""
        text = self.files.get(file.decode())
        if text is None:
            ctypes.c_void_p.from_address(node).value = None
            return 0
        handle = next(self._numbers)
        self._open[handle] = text
        ctypes.c_void_p.from_address(node).value = handle
        return handle

    def c_to_text(self, node: int, header: int, utf8: int) -> int:
        """``switch_xml_toxml_ex``: memory that the caller frees."""
        duplicate: Callable[[bytes], int] = C.strdup
        return duplicate(self._open[node].encode())

    def c_close(self, root: int) -> None:
        """``switch_xml_free``"""
        del self._open[root]
