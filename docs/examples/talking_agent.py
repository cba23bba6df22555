"""An agent that greets the caller, listens, and answers; who speaks meanwhile interrupts it.

Its answer is what the caller has just said. Put speech recognition, a model and a voice where
`answer` is.

    pip install websockets
    python talking_agent.py greeting.wav [port]
"""

import array
import base64
import contextlib
import json
import sys
import wave

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

LOUD = 500  # mean size of the samples of a message in which somebody speaks
PAUSE = 0.7  # seconds of quiet after which the caller is taken to have finished


def answer(said):
    return said


class Conversation:
    """One caller. Audio is 16-bit samples, one channel, at the rate of the stream."""

    def __init__(self, websocket, start, greeting):
        self.websocket = websocket
        self.rate = start["rate"]
        self.said = array.array("h")
        self.quiet = 0.0
        self.playing = None  # the checkpoint at the end of what the caller is hearing
        self.number = 0
        self.play(*greeting)

    def send(self, event, **fields):
        self.websocket.send(json.dumps({"event": event, **fields}))

    def play(self, audio, rate):
        self.number += 1
        self.playing = f"answer-{self.number}"
        self.send("media.play", payload={
            "audioData": base64.b64encode(audio).decode(), "sampleRate": rate,
            "format": "LINEAR16", "checkpoint": self.playing})

    def hear(self, audio):
        samples = array.array("h", audio)
        if sum(map(abs, samples)) > LOUD * len(samples):
            if self.playing:
                self.send("media.clear")  # the caller has begun to speak: be silent
            self.said += samples
            self.quiet = 0.0
        elif self.said:
            self.said += samples
            self.quiet += len(samples) / self.rate
            if self.quiet >= PAUSE:
                self.play(answer(self.said.tobytes()), self.rate)
                self.said = array.array("h")

    def reached(self, checkpoint):
        if checkpoint == self.playing:
            self.playing = None


def talk(websocket, greeting):
    conversation = None
    for text in websocket:
        message = json.loads(text)
        event = message.get("event")
        if event == "media":
            conversation.hear(base64.b64decode(message["audio"]))
            continue
        print(message, flush=True)
        if event == "start":
            conversation = Conversation(websocket, message, greeting)
        elif event == "checkpoint":
            conversation.reached(message["name"])
        elif event == "dtmf" and message["digit"] == "#":
            websocket.close(1000, "bye")  # ends the stream; 1000 says: do not connect again


def read(file):
    with wave.open(file) as wav:
        if wav.getnchannels() != 1 or wav.getsampwidth() != 2:
            sys.exit(f"{file} has to have one channel of 16 bits")
        return wav.readframes(wav.getnframes()), wav.getframerate()


def main(file, port=8080):
    greeting = read(file)

    def serve_call(websocket):
        with contextlib.suppress(ConnectionClosed):  # the caller may hang up at any time
            talk(websocket, greeting)

    with serve(serve_call, "127.0.0.1", int(port),
               subprotocols=["audio.freeswitch.org"]) as server:
        print("listening on port", server.socket.getsockname()[1], flush=True)
        server.serve_forever()


main(*sys.argv[1:])
