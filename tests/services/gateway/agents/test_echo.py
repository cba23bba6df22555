"""The agent that needs nothing."""

from __future__ import annotations

import asyncio

from freeswitch_audio_stream.services.gateway.agents import AgentProfile, create

from .outputs import CONVERSATION, KeptOutput


def test_echo_repeats_the_caller_sample_by_sample_and_is_told_of_clears() -> None:
    async def call() -> KeptOutput:
        output = KeptOutput()
        agent = create(CONVERSATION, AgentProfile("echo"), output)
        await agent.start()
        for audio in (b"\1\0\2\0", b"", b"\3\0"):
            await agent.hear(audio)
        await agent.heard(1, cleared=True)
        await agent.end()
        return output

    assert asyncio.run(call()).given == [("play", b"\1\0\2\0"), ("play", b""), ("play", b"\3\0")]
