"""Starts a stream on a call and follows it to its end: python3 follow.py <uuid>"""

import json
import socket
import sys

NAMES = ("connection_established", "connection_failed", "connection_timeout", "connection_closed",
         "stream_started", "stream_stopped", "stream_error", "media_play_start",
         "media_play_complete", "transcription_received", "call_control", "agent_tool_call", "agent_turn",
         "agent_usage", "heartbeat", "buffer_overrun", "dtmf", "media_client_attached", "media_client_detached")


class EventSocket:
    """FreeSWITCH's event socket: answers to commands, and events in between."""

    def __init__(self, host="127.0.0.1", port=8021, password="ClueCon"):
        self.file = socket.create_connection((host, port)).makefile("rwb")
        self.events = []
        self.read()  # auth/request
        self.command(f"auth {password}")
        subclasses = " ".join(f"mod_audio_stream::{name}" for name in NAMES)
        self.command(f"event json CUSTOM {subclasses}")

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


uuid = sys.argv[1]
switch = EventSocket()
start = "demo start ws://127.0.0.1:8080/ inbound 8000 5 1"
print(switch.command(f"api uuid_audio_stream {uuid} {start}"))
while True:
    event = switch.next_event()
    name = event["Event-Subclass"]
    print(name, event["Unique-ID"], event["_body"], flush=True)
    if name == "mod_audio_stream::stream_stopped" and event["Unique-ID"] == uuid:
        break
