"""A bot made with pipecat, on the calls of FreeSWITCH: it says back what it hears, and falls silent at a digit."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI, WebSocket
from freeswitch_audio_stream.integrations.pipecat import FreeSwitchFrameSerializer
from pipecat.frames.frames import InputAudioRawFrame, InputDTMFFrame, InterruptionFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

PORT = 8080
RATE = 16000  # of the pipeline; the stream may have another

app = FastAPI()


class Bot(FrameProcessor):
    """Here is where speech recognition, a model and a voice would stand."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self.push_frame(OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels))
        elif isinstance(frame, InputDTMFFrame):
            print("digit", frame.button.value, flush=True)
            await self.push_frame(InterruptionFrame())
        else:
            await self.push_frame(frame, direction)


@app.websocket("/")
async def on_call(websocket: WebSocket):
    await websocket.accept("audio.freeswitch.org")
    serializer = FreeSwitchFrameSerializer()
    transport = FastAPIWebsocketTransport(websocket, FastAPIWebsocketParams(
        audio_in_enabled=True, audio_out_enabled=True, add_wav_header=False, serializer=serializer))
    task = PipelineTask(Pipeline([transport.input(), Bot(), transport.output()]), params=PipelineParams(
        audio_in_sample_rate=RATE, audio_out_sample_rate=RATE))

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport, client):
        print("over", serializer.start["uuid"], serializer.start["metadata"], flush=True)
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)


async def main():
    listener = socket.create_server(("127.0.0.1", PORT))
    print("listening on port", listener.getsockname()[1], flush=True)
    await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listener])


asyncio.run(main())
