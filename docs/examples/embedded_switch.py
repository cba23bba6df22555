"""A call on the embedded switch, a stream of it, and what came back.

    python embedded_switch.py ws://127.0.0.1:8080/
"""

import sys

import numpy as np

from freeswitch_audio_stream.module import AudioStreamModule
from freeswitch_audio_stream.simulator import CodecSpec, EmbeddedSwitch
from freeswitch_audio_stream.switch import Switch

seconds = np.arange(2 * 8000) / 8000
tone = (8000 * np.sin(2 * np.pi * 440 * seconds)).astype(np.int16)  # 2 s at 8000 Hz
switch = EmbeddedSwitch()
# The first time, this compiles the media code.
module = AudioStreamModule(Switch(switch.resolve), environment={})
try:
    call = switch.call("call-1", speech=tone, codec=CodecSpec("L16", 8000))
    start = f"demo start {sys.argv[1]} inbound 8000 5 1"
    print(switch.execute(f"uuid_audio_stream call-1 {start}"))
    print(switch.wait_event("mod_audio_stream::stream_started", timeout=60).body)
    switch.wait_event("mod_audio_stream::media_play_complete", timeout=60)
    print("the caller heard", len(call.heard()) / 8000, "s")
    call.hangup()
    print(switch.wait_event("mod_audio_stream::stream_stopped").body)
finally:
    switch.shutdown()
