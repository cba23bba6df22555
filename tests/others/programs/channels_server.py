"""A server for the community module, on Django Channels: keeps what it hears in a file, and says it back when asked."""

import base64
import json
import sys

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from django.conf import settings
from django.urls import path

port, file = int(sys.argv[1]), sys.argv[2]
settings.configure(ALLOWED_HOSTS=["*"], INSTALLED_APPS=["channels"])
django.setup()


class Stream(AsyncWebsocketConsumer):
    async def connect(self):
        self.heard = bytearray()
        self.recording = open(file, "wb", buffering=0)
        await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        if bytes_data:
            self.heard += bytes_data
            self.recording.write(bytes_data)
        elif text_data == "play":
            audio = base64.b64encode(self.heard).decode()
            await self.send(json.dumps({"type": "streamAudio", "data": {
                "audioDataType": "raw", "sampleRate": 8000, "audioData": audio}}))
        elif text_data == "bye":
            print("heard", len(self.heard), flush=True)
            await self.close()
        else:
            print("metadata", text_data, flush=True)

    async def disconnect(self, code):
        self.recording.close()


routes = ProtocolTypeRouter({"websocket": URLRouter([path("stream", Stream.as_asgi())])})
Server(routes, endpoints=build_endpoint_description_strings(host="127.0.0.1", port=port)).run()
