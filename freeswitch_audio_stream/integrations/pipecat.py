"""A serializer of pipecat for the protocol ``json``: bots that speak with the calls of FreeSWITCH, no platform between.

    transport = FastAPIWebsocketTransport(websocket, FastAPIWebsocketParams(
        audio_in_enabled=True, audio_out_enabled=True, serializer=FreeSwitchFrameSerializer()))

What the caller says comes as `InputAudioRawFrame`, at the rate of the pipeline; digits as `InputDTMFFrame`; checkpoints
as `InputTransportMessageFrame`. Audio goes out at the rate that it has, an interruption clears what the caller has not
heard, a transcription is told to the application, and an `OutputTransportMessageFrame` is sent as it is: a
``media.checkpoint``, for example.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.audio.resamplers.soxr_stream_resampler import SOXRStreamAudioResampler
from pipecat.audio.utils import ulaw_to_pcm
from pipecat.frames.frames import (AudioRawFrame, Frame, InputAudioRawFrame, InputDTMFFrame,
                                   InputTransportMessageFrame, InterruptionFrame, OutputTransportMessageFrame,
                                   OutputTransportMessageUrgentFrame, TranscriptionFrame)
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.serializers.base_serializer import FrameSerializer

_MULAW = "MULAW"


class FreeSwitchFrameSerializer(FrameSerializer):
    """Of one connection. Of a stream of both tracks, only what the caller says is heard."""

    def __init__(self, params: FrameSerializer.InputParams | None = None, **options: Any) -> None:
        super().__init__(params or FrameSerializer.InputParams(), **options)
        self.start: dict[str, Any] = {}
        """The message ``start``, as soon as it has come: uuid, streamId, metadata and more."""
        self._rate = 0
        self._resampler = SOXRStreamAudioResampler()

    async def setup(self, setup: FrameProcessorSetup) -> None:
        self._rate = setup.audio_in_sample_rate

    async def serialize(self, frame: Frame) -> str | bytes | None:
        """Return the message for a frame; None where it is nothing to the switch."""
        if isinstance(frame, InterruptionFrame):
            return json.dumps({"event": "media.clear"})
        if isinstance(frame, AudioRawFrame):
            return json.dumps({"event": "media.play", "payload": {
                "audioData": base64.b64encode(frame.audio).decode(), "sampleRate": frame.sample_rate,
                "format": "LINEAR16"}})
        if isinstance(frame, TranscriptionFrame):
            return json.dumps({"event": "transcription.send", "payload": {
                "text": frame.text, "isFinal": True, "speaker": frame.user_id}})
        if isinstance(frame, (OutputTransportMessageFrame, OutputTransportMessageUrgentFrame)):
            return None if self.should_ignore_frame(frame) else json.dumps(frame.message)
        return None

    async def deserialize(self, data: str | bytes) -> Frame | None:
        """Return the frame for a message; None where it is nothing to the bot."""
        message = json.loads(data)
        event = message.get("event")
        if event == "start":
            self.start = message
        elif event == "media" and message.get("track", "inbound") == "inbound":
            return await self._audio(base64.b64decode(message["audio"]))
        elif event == "dtmf":
            return InputDTMFFrame(KeypadEntry(message["digit"]))
        elif event == "checkpoint":
            return InputTransportMessageFrame(message)
        return None

    async def _audio(self, audio: bytes) -> Frame | None:
        rate = self.start["rate"]
        if self.start["codec"] == _MULAW:
            samples = await ulaw_to_pcm(audio, rate, self._rate, self._resampler)
        else:
            samples = await self._resampler.resample(audio, rate, self._rate)
        return InputAudioRawFrame(samples, self._rate, 1) if samples else None
