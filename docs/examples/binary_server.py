"""Writes what each stream says to a WAV file, and says it back at once.

For streams with protocol=binary.

    pip install websockets
    python binary_server.py [port]
"""

import contextlib
import json
import sys
import wave

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve


def talk(websocket):
    start = json.loads(websocket.recv())  # the start message is always the first
    file = f"{start['streamId']}.wav"
    with wave.open(file, "wb") as wav, contextlib.suppress(ConnectionClosed):
        wav.setnchannels(start["channels"])  # 2 with track both: inbound left, outbound right
        wav.setsampwidth(2)
        wav.setframerate(start["rate"])
        for message in websocket:
            if isinstance(message, str):
                print(message, flush=True)
                continue
            wav.writeframesraw(message)
            if start["channels"] == 1:  # what is to be played has one channel
                websocket.send(message)
    print("wrote", file, flush=True)


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
with serve(talk, "127.0.0.1", port, subprotocols=["audio.freeswitch.org"]) as server:
    print("listening on port", server.socket.getsockname()[1], flush=True)
    server.serve_forever()
