"""The close frame of a WebSocket (RFC 6455 sections 5.5.1 and 7.4): its codes and its payload."""

from __future__ import annotations

CLOSE_NORMAL, CLOSE_GOING_AWAY, CLOSE_NO_CODE, CLOSE_ABNORMAL, CLOSE_TOO_BIG = 1000, 1001, 1005, 1006, 1009
CLOSE_BAD_DATA, CLOSE_BAD_TLS = 1007, 1015
_NEVER_SENT = (CLOSE_NO_CODE, CLOSE_ABNORMAL, CLOSE_BAD_TLS)  # RFC 6455 section 7.4.1


def close_reason(data: bytes) -> tuple[int, str]:
    """Code and reason of a close frame's payload; 1005 where it names none."""
    if len(data) < 2:
        return CLOSE_NO_CODE, ""
    return int.from_bytes(data[:2], "big"), data[2:].decode("utf-8", "replace")


def close_payload(code: int, reason: str = "") -> bytes:
    """The payload of a close frame; the reason is cut to what a control frame holds, and a code that must not be sent
    is a normal end.
    """
    code = CLOSE_NORMAL if code in _NEVER_SENT else code
    return code.to_bytes(2, "big") + reason.encode()[:123].decode("utf-8", "ignore").encode()
