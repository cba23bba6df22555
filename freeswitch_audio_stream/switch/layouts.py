"""The few C structures that we fill or read, as they lie in memory on a 64-bit machine.

Their offsets are the same in every release from 1.10.7 on; a test holds them to the figures of the C
compiler. Everything else of the switch (sessions, channels, bugs, events) stays opaque: an address and
nothing more.
"""

from __future__ import annotations

from ctypes import CFUNCTYPE, Structure, c_char, c_char_p, c_int, c_size_t, c_ubyte, c_uint16, c_uint32, c_void_p


class Frame(Structure):
    """``switch_frame_t``: one packet of audio on its way through the switch."""
    _fields_ = [
        ("codec", c_void_p), ("source", c_char_p), ("packet", c_void_p), ("packetlen", c_uint32),
        ("extra_data", c_void_p), ("data", c_void_p), ("datalen", c_uint32), ("buflen", c_uint32),
        ("samples", c_uint32), ("rate", c_uint32), ("channels", c_uint32), ("payload", c_ubyte),
        ("timestamp", c_uint32), ("seq", c_uint16), ("ssrc", c_uint32), ("m", c_int), ("flags", c_uint32),
        ("user_data", c_void_p), ("pmap", c_void_p), ("img", c_void_p), ("geometry", c_ubyte * 28),
    ]


class CodecImplementation(Structure):
    """``switch_codec_implementation_t``: what a codec does at one rate, packet time and channel count.

    ``actual_samples_per_second`` is the rate in Hz of the decoded audio (for G.722 the other rate is 8000
    by a mistake in its RFC); ``decoded_bytes_per_packet`` counts the 16-bit samples of all channels.
    """
    _fields_ = [
        ("codec_type", c_int), ("ianacode", c_ubyte), ("iananame", c_char_p), ("fmtp", c_char_p),
        ("samples_per_second", c_uint32), ("actual_samples_per_second", c_uint32), ("bits_per_second", c_int),
        ("microseconds_per_packet", c_int), ("samples_per_packet", c_uint32),
        ("decoded_bytes_per_packet", c_uint32), ("encoded_bytes_per_packet", c_uint32),
        ("number_of_channels", c_ubyte), ("codec_frames_per_packet", c_int), ("functions", c_void_p * 7),
        ("codec_id", c_uint32), ("impl_id", c_uint32), ("modname", c_char_p), ("next", c_void_p),
    ]


class Codec(Structure):
    """``switch_codec_t``: an open codec; a frame to be written points at one."""
    _fields_ = [
        ("codec_interface", c_void_p), ("implementation", c_void_p), ("fmtp_in", c_char_p),
        ("fmtp_out", c_char_p), ("flags", c_uint32), ("memory_pool", c_void_p), ("private_info", c_void_p),
        ("agreed_pt", c_ubyte),
        ("mutex", c_void_p), ("next", c_void_p), ("session", c_void_p), ("cur_frame", c_void_p),
    ]


class Dtmf(Structure):
    """``switch_dtmf_t``; ``duration`` counts samples at 8000 Hz whatever the codec's rate."""
    _fields_ = [("digit", c_char), ("duration", c_uint32), ("flags", c_int), ("source", c_int)]


class StreamHandle(Structure):
    """``switch_stream_handle_t``: where an API command writes its answer."""
    _fields_ = [
        ("read_function", c_void_p), ("write_function", c_void_p), ("raw_write_function", c_void_p),
        ("data", c_void_p), ("end", c_void_p), ("data_size", c_size_t), ("data_len", c_size_t),
        ("alloc_len", c_size_t), ("alloc_chunk", c_size_t), ("param_event", c_void_p),
    ]


class ApiInterface(Structure):
    """``switch_api_interface_t``: a command of a module. The switch keeps our pointers, it copies no
    string.
    """
    _fields_ = [
        ("interface_name", c_char_p), ("desc", c_char_p), ("function", c_void_p), ("syntax", c_char_p),
        ("rwlock", c_void_p), ("refs", c_int), ("reflock", c_void_p), ("parent", c_void_p),
        ("next", c_void_p),
    ]


class ApplicationInterface(Structure):
    """``switch_application_interface_t``: a dialplan application of a module; no string is copied."""
    _fields_ = [
        ("interface_name", c_char_p), ("function", c_void_p), ("long_desc", c_char_p),
        ("short_desc", c_char_p), ("syntax", c_char_p), ("flags", c_uint32), ("rwlock", c_void_p),
        ("refs", c_int), ("reflock", c_void_p), ("parent", c_void_p), ("next", c_void_p),
    ]


class ModuleInterface(Structure):
    """``switch_loadable_module_interface_t``: what a module offers; of the lists we only read two heads."""
    _fields_ = [
        ("module_name", c_char_p), ("before_application", c_void_p * 4), ("application_interface", c_void_p),
        ("before_api", c_void_p), ("api_interface", c_void_p), ("after_api", c_void_p * 10),
        ("rwlock", c_void_p), ("refs", c_int), ("pool", c_void_p),
    ]


LoadFunction = CFUNCTYPE(c_int, c_void_p, c_void_p)
"""``status load(switch_loadable_module_interface_t **, switch_memory_pool_t *)``"""
ShutdownFunction = CFUNCTYPE(c_int)
ApiFunction = CFUNCTYPE(c_int, c_char_p, c_void_p, c_void_p)
"""``status api(const char *arguments, switch_core_session_t * or NULL, switch_stream_handle_t *)``"""
ApplicationFunction = CFUNCTYPE(None, c_void_p, c_char_p)
RawWriteFunction = CFUNCTYPE(c_int, c_void_p, c_char_p, c_size_t)
WriteFunction = CFUNCTYPE(c_int, c_void_p, c_char_p, c_char_p)
"""The variadic ``write_function``, for one format and one string; see `signatures` on variadic calls."""
DtmfHook = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
"""``status hook(switch_core_session_t *, const switch_dtmf_t *, int direction)``"""
BugCallback = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
"""``switch_bool_t callback(switch_media_bug_t *, void *user, switch_abc_type_t)``"""
