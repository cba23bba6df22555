"""A server for the community module, on Flask-Sock: keeps what it hears in a file, and says it back when asked."""

import base64
import json
import sys

from flask import Flask
from flask_sock import Sock

port, file = int(sys.argv[1]), sys.argv[2]
app = Flask(__name__)
sock = Sock(app)


@sock.route("/stream")
def stream(ws):
    heard = bytearray()
    print("metadata", ws.receive(), flush=True)
    with open(file, "wb", buffering=0) as recording:
        while True:
            message = ws.receive()
            if isinstance(message, bytes):
                heard += message
                recording.write(message)
            elif message == "play":
                audio = base64.b64encode(heard).decode()
                ws.send(json.dumps({"type": "streamAudio", "data": {
                    "audioDataType": "raw", "sampleRate": 8000, "audioData": audio}}))
            elif message == "bye":
                print("heard", len(heard), flush=True)
                return


app.run(port=port)
