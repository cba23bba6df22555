"""Gives a call an agent with a function, and answers its calls: python3 agent_functions.py <uuid>"""

import json
import socket
import sys

URL = "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
OPTIONS = {
    "instructions": "You answer the telephone of a tea shop. Look up what is in stock before you promise anything.",
    "greeting": "Good morning, what can I do for you?",
    "tools": [{"name": "stock", "description": "How much of an article there is, in grams.",
               "parameters": {"type": "object", "properties": {"article": {"type": "string"}},
                              "required": ["article"]}}]}
IN_STOCK = {"tea": 700, "coffee": 0}


class EventSocket:
    """FreeSWITCH's event socket: answers to commands, and events in between."""

    def __init__(self, host="127.0.0.1", port=8021, password="ClueCon"):
        self.file = socket.create_connection((host, port)).makefile("rwb")
        self.events = []
        self.read()  # auth/request
        self.command(f"auth {password}")
        self.command("event json CUSTOM mod_audio_stream::agent_tool_call mod_audio_stream::transcription_received "
                     "mod_audio_stream::stream_stopped")

    def read(self):
        lines = iter(self.file.readline, b"\n")
        headers = dict(line.decode().rstrip("\n").split(": ", 1) for line in lines)
        return headers, self.file.read(int(headers.get("Content-Length", 0))).decode()

    def command(self, text):
        self.file.write(f"{text}\n\n".encode())
        self.file.flush()
        while True:
            headers, body = self.read()
            if headers["Content-Type"] != "text/event-json":
                return body or headers.get("Reply-Text", "")
            self.events.append(json.loads(body))

    def next_event(self):
        while not self.events:
            headers, body = self.read()
            if headers["Content-Type"] == "text/event-json":
                self.events.append(json.loads(body))
        return self.events.pop(0)


def stock(arguments):
    article = json.loads(arguments).get("article", "")
    return {"grams": IN_STOCK.get(article, 0)}


uuid = sys.argv[1]
switch = EventSocket()
start = f"agent start {{protocol=openai-realtime}}{URL} inbound mulaw 8000 5 1 {json.dumps(OPTIONS)}"
print(switch.command(f"api uuid_audio_stream {uuid} {start}"), flush=True)
while True:
    event = switch.next_event()
    body = json.loads(event["_body"])
    if event["Unique-ID"] != uuid:
        continue
    if event["Event-Subclass"] == "mod_audio_stream::agent_tool_call":
        answer = json.dumps(stock(body["arguments"]))
        switch.command(f"api uuid_audio_stream {uuid} agent tool_result {body['toolCallId']} {answer}")
    elif event["Event-Subclass"] == "mod_audio_stream::transcription_received":
        print(body["payload"]["speaker"] + ":", body["payload"]["text"], flush=True)
    else:
        break
