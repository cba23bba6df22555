"""Events with channel data, and the data of a channel kept for events after its end."""

from __future__ import annotations

import ctypes
import threading
from typing import Iterable, Protocol, Union

from ..errors import SwitchError
from .constants import EVENT_CLONE, EVENT_CUSTOM, Status
from .library import Library, where
from .text import encode

OWNER = b"mod_audio_stream"


class LiveChannel(Protocol):
    """A call whose channel exists for as long as it is used here, such as a `sessions.Session`."""

    @property
    def channel(self) -> int:
        """The address of its ``switch_channel_t``."""


class ChannelSnapshot:
    """The event headers of a channel as they were when this was made. It needs no lock on the call."""

    def __init__(self, library: Library, channel: int) -> None:
        self._library = library
        # A clone of nothing is the one event that is born without headers of its own.
        self._event = _create(library, EVENT_CLONE, None)
        self._closing = threading.Lock()
        library.switch_channel_event_set_data(channel, self._event)

    def add_to(self, event: ctypes.c_void_p) -> None:
        """Append the headers to `event`; once closed it adds none."""
        with self._closing:
            if self._event.value:
                self._library.switch_event_merge(event, self._event)

    def close(self) -> None:
        """Give the memory back; a second call does nothing."""
        with self._closing:
            if self._event.value:
                self._library.switch_event_destroy(ctypes.byref(self._event))
                self._event = ctypes.c_void_p()


Channel = Union[LiveChannel, ChannelSnapshot, None]
"""Whose data an event carries: a call's of now, a call's as it was, or none."""


def fire(library: Library, subclass: str, body: str | None, channel: Channel) -> None:
    """Fire a CUSTOM event of `subclass` with `body` and the data of `channel`.

    Any thread of ours that does not serve media: it blocks while the switch's event queue is full. A
    session must be locked or the caller's own. Raise SwitchError when the switch is out of memory or
    shutting down.
    """
    event = _create(library, EVENT_CUSTOM, subclass)
    if isinstance(channel, ChannelSnapshot):
        channel.add_to(event)
    elif channel is not None:
        library.switch_channel_event_set_data(channel.channel, event)
    if body is not None:
        library.switch_event_set_body(event, encode(body))
    # The event is the queue's from here on, whatever the answer.
    if library.switch_event_fire_detailed(*where("fire"), ctypes.byref(event), None) != Status.SUCCESS:
        raise SwitchError(f"the switch dropped an event {subclass}")


def reserve(library: Library, subclasses: Iterable[str]) -> list[str]:
    """Claim event subclasses for us and answer those that belong to another module; firing works even so."""
    return [name for name in subclasses
            if library.switch_event_reserve_subclass_detailed(OWNER, encode(name)) != Status.SUCCESS]


def release(library: Library, subclasses: Iterable[str]) -> None:
    """Undo `reserve`."""
    for name in subclasses:
        library.switch_event_free_subclass_detailed(OWNER, encode(name))


def _create(library: Library, event_id: int, subclass: str | None) -> ctypes.c_void_p:
    event = ctypes.c_void_p()
    name = None if subclass is None else encode(subclass)
    status = library.switch_event_create_subclass_detailed(
        *where("fire"), ctypes.byref(event), event_id, name)
    if status != Status.SUCCESS or not event.value:
        raise SwitchError(f"the switch could not make an event {subclass or 'for channel data'}")
    return event
