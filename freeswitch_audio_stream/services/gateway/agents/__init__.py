"""Agents: who talks to the callers of the gateway. One package of entry points, ``freeswitch_audio_stream.agents``."""
