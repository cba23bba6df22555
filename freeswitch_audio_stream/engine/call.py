"""What the engine asks of a call; `module` provides it on top of a switch."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class BugKind(Enum):
    """The media bugs of a stream."""

    CAPTURE_READ = "read"
    """What the caller says, and the clock of all tracks."""
    CAPTURE_WRITE = "write"
    """What the caller hears."""
    PLAYBACK = "playback"
    """Before all other bugs, so that they hear what it plays."""


class Call(Protocol):
    """A call, kept from being destroyed until `release`. Methods may be called on any Python thread of ours."""

    @property
    def uuid(self) -> str:
        """The call's UUID."""

    @property
    def session(self) -> int:
        """Address of the session, for compiled code."""

    @property
    def channel(self) -> int:
        """Address of the channel, for compiled code."""

    @property
    def temp_folder(self) -> str | None:
        """Where the switch keeps temporary files; None where it does not say."""

    def variable(self, name: str) -> str | None:
        """Return a channel variable, or None if it is not set."""

    @property
    def read_rate(self) -> int:
        """Hz of what the caller says; 0 while there is no codec."""

    def has_media(self) -> bool:
        """Return whether audio passes through the switch, or will as soon as the call is in its next state."""

    def is_between_states(self) -> bool:
        """Return whether a bridge, a transfer or the call itself has just begun: what it has now says nothing yet."""

    def ask_for_early_media(self) -> None:
        """Have the caller's side send and take audio before the call is answered; nothing where it has media."""

    def end_reason(self) -> str | None:
        """Return why the call is over: "hangup", or "shutdown" where the whole switch ends; None while it is not."""

    def attach(self, kind: BugKind, callback: int, user: int) -> None:
        """Add a media bug; raises RefusedError with a reason for a person."""

    def detach(self, kind: BugKind) -> None:
        """Remove a bug: its callback gets CLOSE, on this or another thread. Waits for a running callback."""

    def open_write_codec(self) -> tuple[int, int]:
        """Return an L16 codec for frames of the write side: its address, and the id of the implementation it suits.

        An earlier one stays open until `release`. ``(0, 0)`` while the call has no write codec.
        """

    def hook_digits(self, hook: int) -> None:
        """Have received digits reported to `hook` as long as the call lives; a second request changes nothing."""

    def hides_digits(self) -> bool:
        """Return whether digits are sensitive now, such as a PIN, and must not leave the switch."""

    def api(self, command: str, arguments: str) -> str:
        """Run an API command of the switch and return its answer; blocks as long as that takes. Raise SwitchError where
        the switch has none of that name. Any thread of ours, also after `release`.
        """

    def emit(self, event: str, body: str) -> None:
        """Fire an event with the call's channel data; also after `release`, then with those of that moment."""

    def log(self, text: str) -> None:
        """Write a line to the switch's log, at debug level."""

    def warn(self, text: str) -> None:
        """Write a line to the switch's log, as a warning."""

    def release(self) -> None:
        """Let go of the call: all bugs are closed, the write clock is off."""

    def forget(self) -> None:
        """Forget the channel data as well: after `release`, and after the last event."""
