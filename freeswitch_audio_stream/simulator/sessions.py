"""Sessions and channels of the embedded switch, as C sees them: the part that is not on the media path."""

from __future__ import annotations

import ctypes
import threading
from typing import Iterator

from ..switch.constants import BugEvent, BugFlag, ChannelState, Status
from ..switch.layouts import BugCallback
from . import bugs
from .buffers import make_buffer
from .calls import EmbeddedCall
from .locks import C, make_mutex
from .records import ALIVE, BUG, BUG_BUFFER_BYTES, CHANNEL_OFFSET, LOCK_BYTES, record_at


class Sessions:
    """The calls by uuid and by address, and the C functions on them."""

    def __init__(self) -> None:
        self._by_uuid: dict[str, EmbeddedCall] = {}
        self._by_pointer: dict[int, EmbeddedCall] = {}
        self._lock = threading.Lock()
        self.misuses = 0
        """C calls with an address that is no session's any more."""

    def __iter__(self) -> Iterator[EmbeddedCall]:
        with self._lock:
            return iter(list(self._by_pointer.values()))

    def __len__(self) -> int:
        return len(self._by_pointer)

    def add(self, call: EmbeddedCall) -> None:
        with self._lock:
            if call.uuid in self._by_uuid:
                raise ValueError(f"there is a call {call.uuid} already")
            self._by_uuid[call.uuid] = call
            self._by_pointer[call.pointer] = call

    def hide(self, call: EmbeddedCall) -> None:
        """Let nobody find the call by its uuid any more."""
        with self._lock:
            self._by_uuid.pop(call.uuid, None)

    def remove(self, call: EmbeddedCall) -> None:
        with self._lock:
            self._by_pointer.pop(call.pointer, None)

    def find(self, uuid: str) -> EmbeddedCall | None:
        """The call of that uuid; None where there is none, or it is being destroyed."""
        with self._lock:
            return self._by_uuid.get(uuid)

    def at(self, pointer: int) -> EmbeddedCall:
        """The call whose session is at an address; LookupError, and a misuse counted, for one that is gone.
        """
        call = self._by_pointer.get(pointer)
        if call is None:
            self.misuses += 1
            raise LookupError(f"no session at {pointer:#x}: FreeSWITCH would have crashed here")
        return call

    def of(self, channel: int) -> EmbeddedCall:
        """The call whose channel is at an address."""
        return self.at(channel - CHANNEL_OFFSET)

    # The C functions

    def c_locate(self, uuid: bytes, file: bytes, function: bytes, line: int) -> int:
        """``switch_core_session_perform_locate``: found and locked in one step."""
        with self._lock:
            call = self._by_uuid.get(uuid.decode("utf-8", "replace"))
            if call is None or self.c_read_lock(call.pointer) != Status.SUCCESS:
                return 0
            return call.pointer

    def c_read_lock(self, pointer: int) -> int:
        """``switch_core_session_read_lock``: refused once the call has hung up."""
        call = self.at(pointer)
        if C.pthread_rwlock_tryrdlock(call.session.session_lock) != 0:
            return Status.FALSE
        if call.session.state >= ChannelState.HANGUP:
            C.pthread_rwlock_unlock(call.session.session_lock)
            return Status.FALSE
        return Status.SUCCESS

    def c_unlock(self, pointer: int) -> None:
        """``switch_core_session_rwunlock``"""
        C.pthread_rwlock_unlock(self.at(pointer).session.session_lock)

    def c_get_channel(self, pointer: int) -> int:
        return pointer + CHANNEL_OFFSET

    def c_get_uuid(self, pointer: int) -> int:
        call = self.at(pointer)
        return call.text(call.uuid)

    def c_pre_answer(self, channel: int, file: bytes, function: bytes, line: int) -> int:
        call = self.of(channel)
        if call.session.state >= ChannelState.HANGUP:
            return Status.FALSE
        call.session.early_media = 1
        return Status.SUCCESS

    def c_get_variable(self, channel: int, name: bytes, duplicate: int, index: int) -> int:
        """``switch_channel_get_variable_dup``: a copy in the session's pool."""
        call = self.of(channel)
        value = call.uuid if name == b"uuid" else call.variables.get(name.decode())
        return 0 if value is None else call.pool.strdup(value.encode())

    def c_set_variable(self, channel: int, name: bytes, value: bytes | None, check: int) -> int:
        variables = self.of(channel).variables
        if value:
            variables[name.decode()] = value.decode()
        else:
            variables.pop(name.decode(), None)
        return Status.SUCCESS

    def c_add_bug(self, pointer: int, function: bytes, target: bytes, callback: int, user: int | None,
                  stop_time: int, flags: int, out: int) -> int:
        """``switch_core_media_bug_add``: INIT on the caller's thread without a lock, then into the list."""
        call = self.at(pointer)
        s = call.session
        if not s.answered and not s.early_media:
            s.early_media = 1  # the core pre-answers
        if s.state >= ChannelState.HANGUP:
            return Status.FALSE
        if call.variables.get("media_bug_answer_req") == "true":
            flags |= BugFlag.ANSWER_REQ
        bug = self._make_bug(call, callback, user or 0, flags or BugFlag.READ_STREAM | BugFlag.WRITE_STREAM)
        if BugCallback(callback)(bug, user, BugEvent.INIT) == 0:
            return Status.GENERR
        bugs.link(pointer, bug, 1 if flags & BugFlag.FIRST else 0)
        ctypes.c_void_p.from_address(out).value = bug
        return Status.SUCCESS

    def _make_bug(self, call: EmbeddedCall, callback: int, user: int, flags: int) -> int:
        pool = call.pool
        address = pool.alloc(BUG.itemsize)
        bug = record_at(address, BUG)
        bug.magic, bug.session, bug.callback, bug.user, bug.flags = ALIVE, call.pointer, callback, user, flags
        bug.read_mutex, bug.write_mutex = (make_mutex(pool.alloc(LOCK_BYTES)) for _ in range(2))
        if flags & BugFlag.READ_STREAM:
            bug.read_buffer = make_buffer(pool, BUG_BUFFER_BYTES)
        if flags & BugFlag.WRITE_STREAM:
            bug.write_buffer = make_buffer(pool, BUG_BUFFER_BYTES)
        bug.scratch, bug.mixed = pool.alloc(bugs.SCRATCH_BYTES), pool.alloc(bugs.SCRATCH_BYTES)
        return address

    def c_add_hook(self, pointer: int, hook: int) -> int:
        hooks = self.at(pointer).hooks
        if hook in hooks:
            return Status.FALSE
        hooks.append(hook)
        return Status.SUCCESS

    def c_remove_hook(self, pointer: int, hook: int) -> int:
        hooks = self.at(pointer).hooks
        if hook not in hooks:
            return Status.FALSE
        hooks.remove(hook)
        return Status.SUCCESS
