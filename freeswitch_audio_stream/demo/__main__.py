"""``./scripts/demo``: a caller speaks to an agent, and hears it speak, on the embedded switch or a real FreeSWITCH."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioStreamError
from ..services.agent.server import Agent
from ..services.agent.session import AgentSession, Message
from ..services.agent.wav import read_wav, write_wav
from .picture import draw
from .stages import RATE, EmbeddedStage, FreeSwitchStage, Stage

_SPEECH = Path(__file__).resolve().parents[2] / "tests/data"
_PROGRESS_SECONDS = 1.0
_TIMEOUT = 40.0


def _say(text: str) -> None:
    print(text, flush=True)


def _print_event(subclass: str, body: dict[str, Any]) -> None:
    _say(f"  event  {subclass.rpartition('::')[2]:<24} {json.dumps(body)[:150]}")


def _print_message(session: AgentSession, message: Message) -> None:
    _say(f"  server {message.get('event', '?'):<24} {json.dumps(message)[:150]}")


def _latency(stage: Stage, session: AgentSession) -> tuple[NDArray[np.float64], str]:
    """float[n, 2]: seconds since the first message, and ms; and what the second column means."""
    arrivals = session.arrivals("inbound")
    times = np.array([arrival.seconds for arrival in arrivals])
    spoken = stage.spoken_at()
    if spoken is None:
        late = 1000 * (times - times[0] - 0.02 * np.arange(len(times)))
        return np.column_stack([times - times[0], late - late.min()]), "lateness against an even 20 ms beat, in ms"
    # The stream began with the last frame that had not been spoken long before the first message came.
    first = int(np.searchsorted(spoken, times[0], side="right")) - 1
    count = min(len(times), len(spoken) - first)
    return (np.column_stack([times[:count] - times[0], 1000 * (times[:count] - spoken[first:first + count])]),
            "from the frame in the callback to the server, in ms")


def _progress(stage: Stage, session: AgentSession, uuid: str, began: float) -> None:
    latency = f"{_latency(stage, session)[0][-1, 1]:.2f} ms" if session.arrivals("inbound") else "-"
    status = json.loads(stage.execute(f"uuid_audio_stream {uuid} demo status"))
    _say(f"{time.monotonic() - began:5.1f} s  calls 1  streamed {status['msCaptured']:>6} ms  "
         f"heard {status['msPlayed']:>5} ms  waiting {status['captureQueueMs']} ms  dropped "
         f"{status['framesDropped']}  latency {latency}")


def _play(stage: Stage, agent: Agent, seconds: float) -> AgentSession:
    uuid = stage.begin()
    began = time.monotonic()
    _say(f"call {uuid} is up on {stage.name}, parked")
    command = f'uuid_audio_stream {uuid} demo start {agent.url} inbound {RATE} 10 1 {{"from":"demo"}}'
    _say(f"> {command}")
    _say(stage.execute(command).strip())
    session = agent.wait_for_session()
    session.wait_for(lambda s: s.start)
    while session.sample_count("inbound") < seconds * RATE and time.monotonic() - began < _TIMEOUT:
        _progress(stage, session, uuid, began)
        time.sleep(_PROGRESS_SECONDS)  # the rhythm of the progress line
    _progress(stage, session, uuid, began)
    _say(f"> uuid_audio_stream {uuid} demo graceful-shutdown")
    stage.execute(f"uuid_audio_stream {uuid} demo graceful-shutdown demo is over")
    session.wait_for(lambda s: s.close_code is not None)
    return session


def _report(stage: Stage, session: AgentSession, output: Path) -> bool:
    """Write the files; True if all went as it should."""
    received, heard = session.samples("inbound"), stage.heard()
    latency, meaning = _latency(stage, session)
    output.mkdir(exist_ok=True)
    write_wav(output / "server-received.wav", received, RATE)
    write_wav(output / "caller-heard.wav", *heard)
    draw(output / "demo.png", (received, RATE), heard, latency, meaning, f"freeswitch_audio_stream on {stage.name}")
    p50, p99 = np.percentile(latency[:, 1], [50, 99])
    _say(f"the server received {len(received) / RATE:.1f} s, the caller heard {len(heard[0]) / heard[1]:.1f} s; "
         f"{meaning}: p50 {p50:.2f}, p99 {p99:.2f}")
    for fault in session.faults:
        _say(f"fault: {fault}")
    _say(f"look at {output}/demo.png, and listen to {output}/server-received.wav and {output}/caller-heard.wav")
    return not session.faults and bool(np.abs(heard[0]).max() > 1000) and bool(np.abs(received).max() > 1000)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freeswitch-audio-stream demo", epilog="example: freeswitch-audio-stream demo --output demo-output",
        description="A caller speaks to an agent, and hears it speak, on the embedded switch or a real FreeSWITCH. "
                    "What the server received and what the caller heard is left as WAV files, with a picture.")
    parser.add_argument("--freeswitch", type=Path, metavar="PREFIX",
                        help="play it on the FreeSWITCH installed there, instead of on the embedded switch")
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="default: %(default)s")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _parser().parse_args(arguments)
    caller = _SPEECH / "caller_8k.wav"
    if not caller.exists():
        print(f"The demo failed: the speech it plays is not installed, only in a checkout ({_SPEECH}): clone the "
              "repository, and run ./scripts/demo there", file=sys.stderr)
        return 1
    speech = read_wav(_SPEECH / "agent_16k.wav")
    seconds = len(read_wav(caller)[0]) / RATE - 1.5
    try:
        _say("starting; the first time, the core is compiled, which takes some seconds")
        stage: Stage = (FreeSwitchStage(options.freeswitch, caller, _print_event) if options.freeswitch
                        else EmbeddedStage(caller, _print_event))
        with Agent(speech=speech, observer=_print_message) as agent:
            try:
                session = _play(stage, agent, seconds)
                good = _report(stage, session, options.output)
            finally:
                stage.end()
    except (AudioStreamError, OSError, TimeoutError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
