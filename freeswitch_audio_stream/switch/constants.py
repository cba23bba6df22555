"""Values of the switch's enumerations that mean the same in every release from 1.10.7 on."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Status(IntEnum):
    """``switch_status_t``, as far as we give or explain it."""
    SUCCESS = 0
    FALSE = 1
    NOTIMPL = 5
    MEMERR = 6
    GENERR = 9
    INUSE = 10
    BREAK = 11
    NOTFOUND = 14
    NOUNLOAD = 16


class ChannelState(IntEnum):
    """``switch_channel_state_t``: from HANGUP on a call is over."""
    NEW = 0
    INIT = 1
    ROUTING = 2
    EXECUTE = 4
    PARK = 6
    HANGUP = 10
    REPORTING = 11
    DESTROY = 12


class BugFlag(IntFlag):
    """``switch_media_bug_flag_t``: which audio a bug gets, and how."""
    READ_STREAM = 1
    WRITE_STREAM = 2
    WRITE_REPLACE = 4
    READ_REPLACE = 8
    READ_PING = 0x10
    STEREO = 0x20
    ANSWER_REQ = 0x40
    BRIDGE_REQ = 0x80
    PRUNE = 0x200
    STEREO_SWAP = 0x800
    ONE_ONLY = 0x8000
    FIRST = 1 << 26
    PAUSE = 1 << 27


class BugEvent(IntEnum):
    """``switch_abc_type_t``: why a bug's callback is called."""
    INIT = 0
    READ = 1
    WRITE = 2
    WRITE_REPLACE = 3
    READ_REPLACE = 4
    READ_PING = 5
    CLOSE = 8


class FrameFlag(IntFlag):
    """``switch_frame_flag_t``."""
    CNG = 1


class CodecFlag(IntFlag):
    """``switch_codec_flag_t``."""
    ENCODE = 1
    DECODE = 2
    READY = 256


class LogLevel(IntEnum):
    """``switch_log_level_t``, most urgent first."""
    ALERT = 1
    CRIT = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


CAUSE_NORMAL_CLEARING, CAUSE_SYSTEM_SHUTDOWN = b"NORMAL_CLEARING", b"SYSTEM_SHUTDOWN"
"""Names of ``switch_call_cause_t``: its numbers differ between releases (the second was 501 up to 1.10.7)."""
INTERFACE_APPLICATION = 4
INTERFACE_API = 5
EVENT_CUSTOM = 0
EVENT_CLONE = 1
LOG_CHANNEL = 0
"""``SWITCH_CHANNEL_ID_LOG``: the log line's user data is a call's uuid, not a session."""
APPLICATION_FLAGS_NONE = 0
