"""Plays back what it hears, two seconds at a time. Needs: pip install websockets"""

import base64
import json

from websockets.sync.server import serve


def talk(websocket):
    for text in websocket:
        message = json.loads(text)
        if message.get("event") == "start":
            stream_id, rate, heard = message["streamId"], message["rate"], bytearray()
        elif message.get("event") == "media":
            heard += base64.b64decode(message["audio"])
            if len(heard) >= 2 * 2 * rate:  # two seconds of 16-bit samples
                websocket.send(json.dumps({"event": "media.play", "streamId": stream_id, "payload": {
                    "audioData": base64.b64encode(heard).decode(), "sampleRate": rate,
                    "format": "LINEAR16", "checkpoint": "echo"}}))
                heard.clear()
            continue
        print(message, flush=True)


with serve(talk, "127.0.0.1", 8080, subprotocols=["audio.freeswitch.org"]) as server:
    server.serve_forever()
