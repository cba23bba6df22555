"""The body of a request, as long as it may be and no longer."""

from __future__ import annotations

from fastapi import Request

from .refusals import Refusal


async def read_body(request: Request, most: int) -> bytes:
    """Return the body; raise Refusal (413) where it has more than `most` bytes, and where the client has gone.

    What is too long is not kept, whatever the request has said of its length; but up to as much again is read, because
    a connection that is closed with data unread is reset, and the refusal lost with it.
    """
    too_long = Refusal(413, f"the body is longer than {most} bytes", {"Connection": "close"})
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > 2 * most:
        raise too_long
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":  # it is nobody's defect, and nobody is there to read this
            raise Refusal(400, "the client has gone before its body was there")
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > 2 * most:
            raise too_long
        if size > most:
            parts.clear()
        else:
            parts.append(part)
    if size > most:
        raise too_long
    return b"".join(parts)


def has_gone(request: Request) -> bool:
    """Return whether the client of a request without a body, or whose body was read, has closed its connection.

    It looks no further than at what has come, and so costs next to nothing.
    """
    while True:
        receiving = request.receive()
        try:
            receiving.send(None)  # type: ignore[attr-defined]
        except StopIteration as stopped:
            if stopped.value["type"] == "http.disconnect":
                return True
        else:
            receiving.close()  # type: ignore[attr-defined]
            return False
