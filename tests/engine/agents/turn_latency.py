"""How much a stream adds to the turns of a conversation: ``python -m tests.engine.agents.turn_latency``.

Ten conversations of ten turns at once on the embedded switch, in real time, with the local server of OpenAI's Realtime
protocol, which answers at once when it has found the end of what the caller says; some answers are interrupted. What
is printed is the latency of `agent_turn` without the half second of silence that the server waits for.
"""

from __future__ import annotations

import numpy as np

from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.testing.openai_realtime import RealtimeServer, Reply, Script, Turn

from ..harness import Platform, noise, until
from .speech import voice

CONVERSATIONS, TURNS = 10, 10
_SILENCE_MS = 500
_SPEECH = np.concatenate([noise(3200, 9), np.zeros(4800, np.int16)])


def _reply(turn: Turn) -> Reply:
    return Reply("yes", np.repeat(voice(turn.number % 7, 3.0 if turn.number % 3 == 2 else 0.4), 3))


def _latencies(platform: Platform, call: EmbeddedCall) -> list[int]:
    return [event["latencyMs"] - _SILENCE_MS for event in platform.events("agent_turn", call)]


def main() -> None:
    """Print the figures, in ms."""
    platform = Platform()
    with RealtimeServer(Script(_reply), key="") as service:
        calls = [platform.call(app="playback", speed=1) for _ in range(CONVERSATIONS)]
        for call in calls:
            platform.start(call, "{protocol=openai-realtime}" + service.url + "/realtime?model=m", rate="mulaw 8000")
        until(lambda: len(service.sessions) == CONVERSATIONS)
        for turn in range(1, TURNS + 1):
            for call in calls:
                call.say(_SPEECH)
            until(lambda: all(len(_latencies(platform, call)) >= turn for call in calls))
        all_of_them = [one for call in calls for one in _latencies(platform, call)]
        for call in calls:
            platform.tell(call, "stop")
    platform.close()
    median, worst = np.percentile(all_of_them, [50, 99])
    print(f"{len(all_of_them)} turns: p50 {median:.0f} ms, p99 {worst:.0f} ms, at most {max(all_of_them)} ms")


if __name__ == "__main__":
    main()
