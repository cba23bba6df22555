"""The close frame of a WebSocket (RFC 6455 sections 5.5.1 and 7.4): its codes and its payload."""

from __future__ import annotations

from dataclasses import dataclass

CLOSE_NORMAL, CLOSE_GOING_AWAY, CLOSE_NO_CODE, CLOSE_ABNORMAL, CLOSE_TOO_BIG = 1000, 1001, 1005, 1006, 1009
CLOSE_PROTOCOL_ERROR, CLOSE_BAD_DATA, CLOSE_POLICY = 1002, 1007, 1008
# The last are those that section 7.4.2 leaves to applications.
_MEANT = ((CLOSE_NORMAL, CLOSE_GOING_AWAY, CLOSE_POLICY), range(4000, 5000))
# Section 7.4 and the IANA registry; the others below 3000 are reserved or must not be sent, those above 4999 are none.
_MAY_BE_SENT = (range(1000, 1004), range(1007, 1015), range(3000, 5000))


@dataclass(frozen=True)
class CloseFrame:
    """What a close frame says."""

    code: int
    """That it names; 1005 where it names none."""
    reason: str
    answer: int
    """The code to answer it with."""
    fault: str = ""
    """What is wrong with it, as the object of a sentence; "" for nothing."""

    @property
    def is_clean(self) -> bool:
        """Whether the peer means it: it is done, or refuses on purpose, rather than failing. A mistake in the reason
        does not matter for that.
        """
        return any(self.code in codes for codes in _MEANT) or self.code == CLOSE_NO_CODE and not self.fault


def may_be_sent(code: int) -> bool:
    """Return whether a close frame may have this code."""
    return any(code in codes for codes in _MAY_BE_SENT)


def read_close(data: bytes) -> CloseFrame:
    """Return what the payload of a close frame says; never raise."""
    if not data:
        return CloseFrame(CLOSE_NO_CODE, "", CLOSE_NORMAL)
    if len(data) == 1:
        return CloseFrame(CLOSE_NO_CODE, "", CLOSE_PROTOCOL_ERROR, "a close frame of one byte, half a code")
    code, reason = int.from_bytes(data[:2], "big"), data[2:].decode("utf-8", "replace")
    if not may_be_sent(code):
        return CloseFrame(code, reason, CLOSE_PROTOCOL_ERROR, f"a close frame with {code}, which is no code to send")
    if data[2:] != reason.encode():
        return CloseFrame(code, reason, CLOSE_BAD_DATA, "a close frame whose reason is not UTF-8")
    return CloseFrame(code, reason, code)


def close_payload(code: int, reason: str = "") -> bytes:
    """Return the payload of a close frame; the reason is cut to what a control frame holds."""
    return code.to_bytes(2, "big") + reason.encode()[:123].decode("utf-8", "ignore").encode()
