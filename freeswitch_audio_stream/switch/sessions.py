"""A call, as its session: locks, variables, media, bugs and DTMF."""

from __future__ import annotations

import ctypes
import threading
from typing import Any, Callable

from ..errors import SwitchError
from .codecs import CodecFormat, L16Codec, format_of
from .constants import CAUSE_SYSTEM_SHUTDOWN, BugFlag, ChannelState, Status
from .events import ChannelSnapshot
from .layouts import CodecImplementation
from .library import Library, where
from .text import decode, encode


class Session:
    """One call of the switch, by the address of its ``switch_core_session_t``.

    A session from `locate` or `retain` holds a read lock: the switch cannot destroy the call before
    `unlock`, which is due exactly once and promptly (a call that has hung up waits for it). A borrowed
    session holds none; it is good only while its owner, such as the call's own thread in an application,
    keeps it alive. Every method may be called on any thread of ours, but never inside a media-bug callback.
    """

    def __init__(self, library: Library, pointer: int, locked: bool) -> None:
        self._library = library
        self.pointer = pointer
        self.channel: int = library.switch_core_session_get_channel(pointer)
        self.uuid = decode(library.switch_core_session_get_uuid(pointer))
        self._locked = locked
        self._unlocking = threading.Lock()

    # lifetime

    def retain(self) -> Session:
        """A session of the same call with a read lock of its own; raise SwitchError once the call has hung
        up.
        """
        if self._library.switch_core_session_read_lock(self.pointer) != Status.SUCCESS:
            raise SwitchError(f"call {self.uuid} has hung up")
        return Session(self._library, self.pointer, locked=True)

    def unlock(self) -> None:
        """Release the read lock; the session must not be used afterwards. RuntimeError where none is held."""
        with self._unlocking:
            if not self._locked:
                raise RuntimeError(f"the session of call {self.uuid} holds no read lock")
            self._locked = False
        self._library.switch_core_session_rwunlock(self.pointer)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._locked:
            self.unlock()

    def is_hung_up(self) -> bool:
        """Return whether the call is over or ending."""
        return bool(self._library.switch_channel_get_state(self.channel) >= ChannelState.HANGUP)

    def ended_by_shutdown(self) -> bool:
        """Return whether the call was hung up because the switch itself ends."""
        shutdown = self._library.switch_channel_str2cause(CAUSE_SYSTEM_SHUTDOWN)
        return bool(self._library.switch_channel_get_cause(self.channel) == shutdown)

    # variables

    def variable(self, name: str) -> str | None:
        """A channel variable, None where it is not set. The switch keeps a copy per call until hangup: do
        not poll.
        """
        value = self._library.switch_channel_get_variable_dup(self.channel, encode(name), 1, -1)
        return None if value is None else decode(value)

    def set_variable(self, name: str, value: str | None) -> None:
        """Set a channel variable, or remove it (None). The value is stored as it is, ``${…}`` in it
        included.
        """
        text = None if value is None else encode(value)
        self._library.switch_channel_set_variable_var_check(self.channel, encode(name), text, 0)

    # media

    def media_ready(self) -> bool:
        """Return whether audio flows through the switch: answered or early media, codecs chosen, not bypassed, not
        ending.
        """
        return bool(self._library.switch_channel_test_ready(self.channel, 1, 1))

    def has_media(self) -> bool:
        """The part of `media_ready` that stays while the call goes from one state to the next, as in a transfer:
        answered or early media, codecs chosen, not bypassed. Also true of a call that is ending.
        """
        return bool(self._library.switch_channel_test_ready(self.channel, 0, 1))

    def is_ready(self) -> bool:
        """The other part: the call is neither at its very beginning, nor between two states, nor ending."""
        return bool(self._library.switch_channel_test_ready(self.channel, 1, 0))

    def pre_answer(self) -> bool:
        """Ask for early media, which may wait for the network; True where there is media now."""
        status = self._library.switch_channel_perform_pre_answer(self.channel, *where("pre_answer"))
        return bool(status == Status.SUCCESS) and self.has_media()

    def read_format(self) -> CodecFormat | None:
        """What the caller sends; None while there is no codec. A re-INVITE may change it at any time."""
        return self._format(self._library.switch_core_session_get_read_impl)

    def write_format(self) -> CodecFormat | None:
        """What is sent to the caller; None while there is no codec. A re-INVITE may change it at any time."""
        return self._format(self._library.switch_core_session_get_write_impl)

    def _format(self, get: Callable[[int, Any], int]) -> CodecFormat | None:
        implementation = CodecImplementation()
        if get(self.pointer, implementation) != Status.SUCCESS:
            return None
        return format_of(implementation)

    def open_l16_codec(self, rate: int, ptime_ms: int, channels: int) -> L16Codec:
        """A linear codec for frames of ours; see `L16Codec`."""
        return L16Codec(self._library, rate, ptime_ms, channels)

    # media bugs

    def add_bug(self, function: str, target: str, callback: int, user: int, flags: BugFlag | int) -> int:
        """Attach a media bug and answer its address.

        `callback` and `user` are addresses that must stay valid until the callback has had CLOSE. INIT
        comes on this thread before the call returns. Raise SwitchError where the call has no media or the
        bug is refused.
        """
        # The core itself would pre-answer here, and takes a bug that will never hear anything on a bypassed
        # call. Between two states it takes one that hears the call from the next state on.
        if self.is_hung_up() or not self.has_media():
            raise SwitchError(f"call {self.uuid} has no media to attach to")
        bug = ctypes.c_void_p()
        status = self._library.switch_core_media_bug_add(
            self.pointer, encode(function), encode(target), callback, user, 0, int(flags), ctypes.byref(bug))
        if status != Status.SUCCESS or not bug.value:
            raise SwitchError(f"the switch refused a media bug on call {self.uuid} (status {status})")
        return bug.value

    def remove_bug(self, bug: int) -> bool:
        """Detach a bug: True when it was attached, and then its callback has had CLOSE, on this thread.

        False means that another thread has detached it and delivers, or has delivered, CLOSE. It waits for
        callbacks that run, so never call it with a lock that a callback needs.
        """
        slot = ctypes.c_void_p(bug)
        status = self._library.switch_core_media_bug_remove(self.pointer, ctypes.byref(slot))
        return bool(status == Status.SUCCESS)

    # DTMF

    def add_dtmf_hook(self, hook: int) -> bool:
        """Have `hook` (an address, see `layouts.DtmfHook`) called for every digit received; False if it is
        already.

        It runs on a network thread that holds the channel's DTMF lock, and must answer 0 to let the digit
        pass.
        """
        status = self._library.switch_core_event_hook_add_recv_dtmf(self.pointer, hook)
        return bool(status == Status.SUCCESS)

    def remove_dtmf_hook(self, hook: int) -> bool:
        """Undo `add_dtmf_hook`; False if there was none. A call of the hook may still be running on return.
        """
        status = self._library.switch_core_event_hook_remove_recv_dtmf(self.pointer, hook)
        return bool(status == Status.SUCCESS)

    # events

    def snapshot(self) -> ChannelSnapshot:
        """The channel data of this moment, for events about the call after it is gone."""
        return ChannelSnapshot(self._library, self.channel)


def locate(library: Library, uuid: str) -> Session | None:
    """The call `uuid` with a read lock held; None where there is none, or it has hung up."""
    pointer = library.switch_core_session_perform_locate(encode(uuid), *where("locate"))
    return Session(library, pointer, locked=True) if pointer else None
