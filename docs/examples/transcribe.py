"""What callers say, as text: each stream's audio goes to Deepgram, and what it has understood comes back as events.

Streams are started with the protocol ``binary``, at 8000 Hz. Set DEEPGRAM_API_KEY.
"""

import asyncio
import json
import os

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

PORT = 8080
DEEPGRAM = "wss://api.deepgram.com/v1/listen"
OPTIONS = "?encoding=linear16&sample_rate=8000&channels=1&interim_results=true"


async def listen(stream, service):
    """The caller's audio, to Deepgram."""
    async for message in stream:
        if isinstance(message, bytes):
            await service.send(message)
    await service.send(json.dumps({"type": "CloseStream"}))


async def tell(stream, service):
    """What Deepgram has understood, to the application."""
    async for message in service:
        result = json.loads(message)
        words = result.get("channel", {}).get("alternatives", [{}])[0].get("transcript")
        if words:
            await stream.send(json.dumps({"event": "transcription.send", "payload": {
                "text": words, "isFinal": result["is_final"], "start": result["start"]}}))


async def on_stream(stream):
    headers = {"Authorization": f"Token {os.environ['DEEPGRAM_API_KEY']}"}
    try:
        async with connect(DEEPGRAM + OPTIONS, additional_headers=headers) as service:
            await asyncio.gather(listen(stream, service), tell(stream, service))
    except ConnectionClosed:
        pass  # the call is over


async def main():
    async with serve(on_stream, "127.0.0.1", PORT, subprotocols=["audio.freeswitch.org"]) as server:
        print("listening on port", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
