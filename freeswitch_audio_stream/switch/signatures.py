"""Every C function that we call, with its prototype: the whole of what we need from the switch.

Pointers to things that are opaque to us are plain ``c_void_p``. Two functions are variadic in C
(``switch_log_printf`` and a stream's ``write_function``); we always pass them one format, ``"%s"``, and one
string, which the procedure call standards of x86-64 and AArch64 Linux pass just as they would to a fixed
prototype.
"""

from __future__ import annotations

from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any

from .layouts import Codec, CodecImplementation, Frame, LoadFunction, ShutdownFunction, StreamHandle

Prototype = tuple[Any, tuple[Any, ...]]

_OUT = POINTER(c_void_p)
_WHERE = (c_char_p, c_char_p, c_int)
"""The file, function and line that FreeSWITCH's macros add to a call."""

SIGNATURES: dict[str, Prototype] = {
    # core
    "switch_core_running": (c_int, ()),
    "switch_version_major": (c_char_p, ()),
    "switch_version_minor": (c_char_p, ()),
    "switch_version_micro": (c_char_p, ()),
    "switch_log_printf": (None, (c_int, *_WHERE, c_char_p, c_int, c_char_p, c_char_p)),
    "switch_console_set_complete": (c_int, (c_char_p,)),
    "switch_mutex_lock": (c_int, (c_void_p,)),
    "switch_mutex_unlock": (c_int, (c_void_p,)),
    "switch_thread_rwlock_unlock": (c_int, (c_void_p,)),
    "malloc": (c_void_p, (c_size_t,)),
    "free": (None, (c_void_p,)),
    # API commands; the write functions are what a stream for their answer is made of
    "switch_api_execute": (c_int, (c_char_p, c_char_p, c_void_p, POINTER(StreamHandle))),
    "switch_console_stream_write": (c_int, (POINTER(StreamHandle), c_char_p, c_char_p)),
    "switch_console_stream_raw_write": (c_int, (POINTER(StreamHandle), c_char_p, c_size_t)),
    # sessions and channels
    "switch_core_session_perform_locate": (c_void_p, (c_char_p, *_WHERE)),
    "switch_core_session_read_lock": (c_int, (c_void_p,)),
    "switch_core_session_rwunlock": (None, (c_void_p,)),
    "switch_core_session_get_channel": (c_void_p, (c_void_p,)),
    "switch_core_session_get_uuid": (c_char_p, (c_void_p,)),
    "switch_core_session_get_read_impl": (c_int, (c_void_p, POINTER(CodecImplementation))),
    "switch_core_session_get_write_impl": (c_int, (c_void_p, POINTER(CodecImplementation))),
    "switch_core_session_write_frame": (c_int, (c_void_p, POINTER(Frame), c_uint32, c_int)),
    "switch_channel_test_ready": (c_int, (c_void_p, c_int, c_int)),
    "switch_channel_get_state": (c_int, (c_void_p,)),
    "switch_channel_get_cause": (c_int, (c_void_p,)),
    "switch_channel_str2cause": (c_int, (c_char_p,)),
    "switch_channel_perform_pre_answer": (c_int, (c_void_p, *_WHERE)),
    "switch_channel_get_variable_dup": (c_char_p, (c_void_p, c_char_p, c_int, c_int)),
    "switch_channel_set_variable_var_check": (c_int, (c_void_p, c_char_p, c_char_p, c_int)),
    # media bugs; `time_t` is 64 bits wide
    "switch_core_media_bug_add": (
        c_int, (c_void_p, c_char_p, c_char_p, c_void_p, c_void_p, c_int64, c_uint32, _OUT)),
    "switch_core_media_bug_remove": (c_int, (c_void_p, _OUT)),
    "switch_core_media_bug_read": (c_int, (c_void_p, POINTER(Frame), c_int)),
    "switch_core_media_bug_get_write_replace_frame": (c_void_p, (c_void_p,)),
    "switch_core_media_bug_set_write_replace_frame": (None, (c_void_p, c_void_p)),
    # DTMF
    "switch_core_event_hook_add_recv_dtmf": (c_int, (c_void_p, c_void_p)),
    "switch_core_event_hook_remove_recv_dtmf": (c_int, (c_void_p, c_void_p)),
    # codecs; without a pool a codec makes one of its own and frees it
    "switch_core_codec_init_with_bitrate": (
        c_int, (POINTER(Codec), c_char_p, c_char_p, c_char_p, c_uint32, c_int, c_int, c_uint32, c_uint32,
                c_void_p, c_void_p)),
    "switch_core_codec_destroy": (c_int, (POINTER(Codec),)),
    # events
    "switch_event_create_subclass_detailed": (c_int, (*_WHERE, _OUT, c_int, c_char_p)),
    "switch_event_set_body": (c_int, (c_void_p, c_char_p)),
    "switch_event_merge": (None, (c_void_p, c_void_p)),
    "switch_event_fire_detailed": (c_int, (*_WHERE, _OUT, c_void_p)),
    "switch_event_destroy": (None, (_OUT,)),
    "switch_event_reserve_subclass_detailed": (c_int, (c_char_p, c_char_p)),
    "switch_event_free_subclass_detailed": (c_int, (c_char_p, c_char_p)),
    "switch_channel_event_set_data": (None, (c_void_p, c_void_p)),
    # modules
    "switch_loadable_module_exists": (c_int, (c_char_p,)),
    "switch_loadable_module_build_dynamic": (
        c_int, (c_char_p, LoadFunction, c_void_p, ShutdownFunction, c_int)),
    "switch_loadable_module_unload_module": (c_int, (c_char_p, c_char_p, c_int, POINTER(c_char_p))),
    "switch_loadable_module_create_module_interface": (c_void_p, (c_void_p, c_char_p)),
    "switch_loadable_module_create_interface": (c_void_p, (c_void_p, c_int)),
    "switch_loadable_module_get_api_interface": (c_void_p, (c_char_p,)),
    "switch_loadable_module_get_application_interface": (c_void_p, (c_char_p,)),
    # configuration
    "switch_xml_open_cfg": (c_void_p, (c_char_p, _OUT, c_void_p)),
    "switch_xml_toxml_ex": (c_void_p, (c_void_p, c_int, c_int)),
    "switch_xml_free": (None, (c_void_p,)),
}

COMPILED_CORE = (
    "switch_core_media_bug_read",
    "switch_core_media_bug_get_write_replace_frame",
    "switch_core_media_bug_set_write_replace_frame",
    "switch_core_session_get_read_impl",
    "switch_core_session_get_write_impl",
    "switch_core_session_write_frame",
    "switch_channel_get_state",
    "switch_channel_test_ready",
)
"""The functions that compiled code calls by address, on threads that never hold the GIL."""

assert c_size_t(-1).value == 2 ** 64 - 1, "the layouts and prototypes are those of a 64-bit machine"
