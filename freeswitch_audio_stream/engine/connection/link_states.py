"""The states of a stream's connection and what leads from one to the next; nothing else may change them."""

from __future__ import annotations

from enum import Enum


class LinkState(Enum):
    """Where a connection is."""

    DOWN = "down"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    """A close frame of ours is on its way."""
    DETACHING = "detaching"
    """Over; the I/O loop still has the socket."""


class LinkStep(Enum):
    """What happens to a connection."""

    CONNECT = "asked to connect"
    CONNECTED = "connected"
    FAILED = "not connected"
    GIVE_UP = "not wanted any more"
    CLOSE = "asked to close, or the peer closes"
    OVER = "over: closed by both, lost, or the peer does not answer the close"
    RELEASED = "the I/O loop has given the socket back"


LINK_TRANSITIONS: dict[LinkState, dict[LinkStep, LinkState]] = {
    LinkState.DOWN: {
        LinkStep.CONNECT: LinkState.CONNECTING,
        LinkStep.GIVE_UP: LinkState.DOWN},  # a stream that ends before it connects, or between two attempts
    LinkState.CONNECTING: {
        LinkStep.CONNECTED: LinkState.OPEN,
        LinkStep.FAILED: LinkState.DOWN,
        LinkStep.GIVE_UP: LinkState.DOWN},
    LinkState.OPEN: {
        LinkStep.CLOSE: LinkState.CLOSING,
        LinkStep.OVER: LinkState.DETACHING},
    LinkState.CLOSING: {
        LinkStep.CLOSE: LinkState.CLOSING,  # both close at once, or the peer breaks a rule while it is being closed
        LinkStep.OVER: LinkState.DETACHING},
    LinkState.DETACHING: {
        LinkStep.CLOSE: LinkState.DETACHING,  # the same message that hung up may ask for it twice
        LinkStep.OVER: LinkState.DETACHING,  # the socket breaks before the I/O loop gives it back
        LinkStep.GIVE_UP: LinkState.DETACHING,  # a stream that ends while its connection is about to be made again
        LinkStep.RELEASED: LinkState.DOWN},
}
"""A step that leads to the state it comes from is one that comes too late, or twice, and is known to; a step that a
state does not list is a defect of ours."""
