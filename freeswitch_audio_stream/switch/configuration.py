"""A configuration file of ours, as the switch has read and expanded it."""

from __future__ import annotations

import ctypes

from .library import Library
from .text import decode, encode


def read(library: Library, file: str) -> str | None:
    """The ``<configuration name="file">`` element as XML text; None where the switch has no such
    configuration.

    Any thread of ours; the switch may ask an HTTP server for it (mod_xml_curl), so it may block.
    """
    node = ctypes.c_void_p()
    root = library.switch_xml_open_cfg(encode(file), ctypes.byref(node), None)
    if not root:
        return None
    try:
        return _to_text(library, node.value) if node.value else None
    finally:
        library.switch_xml_free(root)


def _to_text(library: Library, node: int) -> str | None:
    memory = library.switch_xml_toxml_ex(node, 0, 1)  # without a header; not ASCII as references
    if not memory:
        return None
    try:
        return decode(ctypes.string_at(memory))
    finally:
        library.free(memory)
