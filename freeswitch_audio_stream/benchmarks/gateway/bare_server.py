"""The least that any server can do: a bare ASGI handler on the web server that the gateway has, too.

It reads each body, and answers a post with what the gateway says to one, a poll with as much as a chunk of audio.
Everything else is answered as a post is.
"""

from __future__ import annotations

import base64
import sys
from typing import Any, Awaitable, Callable

from ...web.connection_limits import choose_limits, open_files
from ...web.listen_address import ListenAddress
from ...web.server import WebServer
from .requests import CHUNK_BYTES_PER_MS

_HEADERS = b"content-length"
_POSTED = b'{"status":"streamed"}'

Message = dict[str, Any]


class BareHandler:
    """The ASGI application."""

    def __init__(self, chunk_ms: int) -> None:
        audio = base64.b64encode(bytes(chunk_ms * CHUNK_BYTES_PER_MS))
        self._polled = b'{"audio":"' + audio + b'","transcript":"","hasMore":false}'

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]],
                       send: Callable[[Message], Awaitable[None]]) -> None:
        while (await receive()).get("more_body"):
            pass
        body = self._polled if scope["method"] == "GET" else _POSTED
        headers = [(_HEADERS, b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until standard input ends."""
    def say(text: object) -> None:
        print(text, file=sys.stderr, flush=True)
    files = open_files()
    server = WebServer(BareHandler(int(sys.argv[1])), listen=ListenAddress("127.0.0.1", 0),
                       limits=choose_limits(files, files, files), name="the bare server", tell=say, on_fault=say)
    server.start()
    print(f"listening on {server.scheme}://{server.address}", flush=True)
    sys.stdin.read()
    server.stop(5.0)


if __name__ == "__main__":
    main()
