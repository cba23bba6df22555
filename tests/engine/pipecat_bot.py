"""A bot made of pipecat's own parts, run by a Python that has pipecat: it says back what it hears.

Which platform calls it finds out by the first messages, except for Vonage's and Genesys', whose first messages pipecat
does not know.
A digit interrupts what it is saying. Prints ``port <n>`` when it listens, and a line for each call and digit.
"""

import asyncio
import socket
import sys

import uvicorn
from fastapi import FastAPI, WebSocket
from pipecat.frames.frames import (InputAudioRawFrame, InputDTMFFrame, InterruptionFrame, OutputAudioRawFrame)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.exotel import ExotelFrameSerializer
from pipecat.serializers.genesys import GenesysAudioHookSerializer
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.serializers.vonage import VonageFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

RATE = 8000


class Echo(FrameProcessor):
    """Says back what it hears."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self.push_frame(OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels))
        elif isinstance(frame, InputDTMFFrame):
            print("digit", frame.button.value, flush=True)
            await self.push_frame(InterruptionFrame())
        else:
            await self.push_frame(frame, direction)


def serializer(kind, data):
    if kind == "twilio":
        return TwilioFrameSerializer(data["stream_id"], data["call_id"],
                                     params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
    if kind == "telnyx":
        return TelnyxFrameSerializer(data["stream_id"], data["outbound_encoding"], data["outbound_encoding"],
                                     params=TelnyxFrameSerializer.InputParams(auto_hang_up=False))
    if kind == "plivo":
        return PlivoFrameSerializer(data["stream_id"], data["call_id"],
                                    params=PlivoFrameSerializer.InputParams(auto_hang_up=False))
    if kind == "exotel":
        return ExotelFrameSerializer(data["stream_id"], data["call_id"])
    raise ValueError(kind)


async def answer(websocket, made):
    params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, add_wav_header=False,
                                    serializer=made)
    transport = FastAPIWebsocketTransport(websocket, params)
    task = PipelineTask(Pipeline([transport.input(), Echo(), transport.output()]), params=PipelineParams(
        audio_in_sample_rate=RATE, audio_out_sample_rate=RATE))

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport, client):
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)
    print("over", flush=True)


app = FastAPI()


@app.websocket("/")
async def called(websocket: WebSocket):
    await websocket.accept()
    kind, data = await parse_telephony_websocket(websocket)
    print("call", kind, dict(data), flush=True)
    await answer(websocket, serializer(kind, data))


@app.websocket("/vonage")
async def called_by_vonage(websocket: WebSocket):
    await websocket.accept()
    print("call vonage", flush=True)
    await answer(websocket, VonageFrameSerializer(VonageFrameSerializer.InputParams(vonage_sample_rate=RATE)))


@app.websocket("/audiohook")
async def called_by_genesys(websocket: WebSocket):
    await websocket.accept()
    print("call audiohook", flush=True)
    made = GenesysAudioHookSerializer()

    @made.event_handler("on_open")
    async def on_open(serializer, message):
        print("opened by", serializer.participant["ani"], serializer.input_variables, flush=True)
    await answer(websocket, made)


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print("port", listener.getsockname()[1], flush=True)
    await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listener])


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
